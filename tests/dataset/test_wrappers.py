"""Data sets made of data sets."""

from __future__ import annotations

import json

import pytest

from mainspring.dataset import BaseDataset, ClassBalancedDataset, ConcatDataset, RepeatDataset
from mainspring.errors import ConfigError
from mainspring.registry import DATASETS


class Labelled(BaseDataset):
    def get_cat_ids(self, idx):
        return self.get_data_info(idx)["labels"]


@pytest.fixture
def make(tmp_path):
    def make_dataset(labels, classes=("cat", "dog"), **options):
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.json"
        items = [{"img_path": "", "labels": item} for item in labels]
        path.write_text(json.dumps({"metainfo": {"classes": classes}, "data_list": items}))
        return Labelled(str(path), **options)

    return make_dataset


def labels(dataset):
    return [dataset[index]["labels"] for index in range(len(dataset))]


def test_several_in_a_row(make):
    both = ConcatDataset([make([[0], [1]]), make([[2]])])
    assert labels(both) == [[0], [1], [2]]
    assert both.get_data_info(2)["sample_idx"] == 0
    assert both._get_ori_dataset_idx(-1) == (1, 0)
    assert both[-3]["labels"] == [0]
    assert both.metainfo == {"classes": ["cat", "dog"]}
    with pytest.raises(IndexError, match="no item 3 among 3"):
        both[3]
    with pytest.raises(ValueError, match="no item -4 among 3"):
        both[-4]
    assert [item["labels"] for item in both] == [[0], [1], [2]]


def test_meta_information_must_agree(make):
    sets = [make([[0]]), make([[1]], classes=["bird"])]
    with pytest.raises(ConfigError, match="'classes' differs between data sets 1 and 2"):
        ConcatDataset(sets)
    assert len(ConcatDataset(sets, ignore_keys="classes")) == 2
    with pytest.raises(TypeError, match="ignore_keys"):
        ConcatDataset(sets, ignore_keys=3)
    with pytest.raises(ConfigError, match="datasets is empty"):
        ConcatDataset([])
    with pytest.raises(TypeError, match="takes a dict or a BaseDataset, not list"):
        ConcatDataset([[1]])


def test_repeated(make):
    repeated = RepeatDataset(make([[0], [1]]), times=3)
    assert labels(repeated) == [[0], [1]] * 3
    assert repeated.get_data_info(3)["sample_idx"] == 1


def test_rare_classes_are_repeated(make):
    # Class 1 is in a fifth of the items: sqrt(0.8 / 0.2) = 2. The last item has no class.
    data = make([[0], [0], [0], [0, 1], []])
    balanced = ClassBalancedDataset(data, oversample_thr=0.8)
    assert balanced.repeat_indices == [0, 1, 2, 3, 3, 4]
    assert balanced.get_cat_ids(4) == [0, 1]
    assert labels(balanced)[3:5] == [[0, 1], [0, 1]]


@pytest.mark.parametrize("kind", ["RepeatDataset", "ConcatDataset"])
def test_from_dicts_and_lazily(make, kind):
    inner = make([[0], [1]], lazy_init=True)
    arguments = {"datasets": [inner]} if kind == "ConcatDataset" else {"dataset": inner, "times": 1}
    dataset = DATASETS.build(dict(type=kind, lazy_init=True, **arguments))
    assert not inner._fully_initialized
    assert len(dataset) == 2
    assert inner._fully_initialized


def test_subsets_are_taken_inside(make):
    for dataset in (RepeatDataset(make([[0]]), 2), ConcatDataset([make([[0]])])):
        with pytest.raises(NotImplementedError, match="no subsets"):
            dataset.get_subset([0])
        with pytest.raises(NotImplementedError, match="no subsets"):
            dataset.get_subset_([0])
