"""Data sets with an annotation file, and their pipelines."""

from __future__ import annotations

import json
import logging
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.config import Config
from mainspring.dataset import BaseDataset, Compose, force_full_init
from mainspring.dataset.serialized_items import pack, select, unpack
from mainspring.errors import ConfigError, DataError
from mainspring.registry import DATASETS, TRANSFORMS

ANNOTATIONS = {
    "metainfo": {"classes": ["cat", "dog"], "task": "toy"},
    "data_list": [{"img_path": f"{number}.png", "label": number % 2} for number in range(6)],
}


@pytest.fixture
def ann_file(tmp_path):
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(ANNOTATIONS))
    return str(path)


def labels(dataset):
    return [dataset.get_data_info(index)["label"] for index in range(len(dataset))]


def paths(dataset):
    return [dataset.get_data_info(index)["img_path"] for index in range(len(dataset))]


@pytest.mark.parametrize("serialize", [True, False])
def test_items_of_the_annotation_file(ann_file, serialize):
    dataset = BaseDataset(ann_file, serialize_data=serialize)
    assert len(dataset) == 6
    assert dataset[1] == {"img_path": "1.png", "label": 1, "sample_idx": 1}
    assert dataset[-1]["sample_idx"] == 5
    assert dataset[0] is not dataset[0]
    dataset[0]["label"] = 99
    assert dataset[0]["label"] == 0
    with pytest.raises(IndexError):
        dataset[6]


def test_serialised_items_leave_no_list(ann_file):
    dataset = BaseDataset(ann_file)
    assert dataset.data_list == []
    assert dataset.data_bytes.dtype == np.uint8
    assert dataset.data_address.dtype == np.int64
    assert dataset.data_address[-1] == len(dataset.data_bytes)


def test_it_is_registered():
    assert DATASETS.get("BaseDataset") is BaseDataset


def test_paths_are_joined(ann_file):
    root, name = os.path.split(ann_file)
    dataset = BaseDataset(name, data_root=root, data_prefix={"img_path": "images"})
    assert dataset.ann_file == ann_file
    assert paths(dataset)[0] == os.path.join(root, "images", "0.png")
    absolute = BaseDataset(ann_file, data_root="nowhere", data_prefix={"img_path": "/data"})
    assert paths(absolute)[0] == "/data/0.png"


def test_meta_information(ann_file, tmp_path):
    class Own(BaseDataset):
        METAINFO = {"task": "own", "palette": [1]}

    names = tmp_path / "names.txt"
    names.write_text("a\nb\n")
    dataset = Own(ann_file, metainfo={"palette": [2], "classes": str(names)})
    assert dataset.metainfo == {"task": "own", "palette": [2], "classes": ["a", "b"]}
    dataset.metainfo["task"] = "changed"
    assert dataset.metainfo["task"] == "own"
    assert Own.METAINFO == {"task": "own", "palette": [1]}
    assert BaseDataset(ann_file, metainfo=Config({"x": 1})).metainfo == {
        "x": 1, **ANNOTATIONS["metainfo"],
    }  # fmt: skip
    with pytest.raises(TypeError, match="metainfo is a dict, not list"):
        BaseDataset(ann_file, metainfo=["cat"])


def test_override_points(ann_file):
    class Own(BaseDataset):
        def parse_data_info(self, raw):
            return [raw, dict(raw, label=7)]

        def filter_data(self):
            return [item for item in self.data_list if item["label"] != self.filter_cfg["drop"]]

    assert labels(Own(ann_file, filter_cfg={"drop": 1})) == [0, 7, 7, 0, 7, 7, 0, 7, 7]


@pytest.mark.parametrize("serialize", [True, False])
@pytest.mark.parametrize(
    ("indices", "expected"), [(2, [0, 1]), (-2, [4, 5]), ([5, 0, -2], [5, 0, 4]), (0, [])]
)
def test_subsets(ann_file, serialize, indices, expected):
    names = [f"{number}.png" for number in expected]
    whole = BaseDataset(ann_file, serialize_data=serialize)
    subset = whole.get_subset(indices)
    assert paths(subset) == names
    assert len(whole) == 6
    assert subset.metainfo == whole.metainfo
    whole.get_subset_(indices)
    assert paths(whole) == names
    assert paths(BaseDataset(ann_file, serialize_data=serialize, indices=indices)) == names
    with pytest.raises(TypeError, match="indices"):
        whole.get_subset_({})
    with pytest.raises(TypeError, match="indices"):
        subset.get_subset("first")


@pytest.mark.parametrize("indices", [7, -7, [0, 6], [-7]])
def test_more_than_there_is_makes_no_subset(ann_file, indices):
    dataset = BaseDataset(ann_file)
    for subset in (dataset.get_subset, dataset.get_subset_):
        with pytest.raises(IndexError, match="there are 6 items"):
            subset(indices)


def test_lazy_initialisation(ann_file, caplog):
    dataset = BaseDataset(ann_file, lazy_init=True)
    assert dataset.data_list == []
    assert not dataset._fully_initialized
    with caplog.at_level(logging.WARNING):
        assert len(dataset) == 6
    dataset.full_init()
    assert dataset._fully_initialized


def test_force_full_init_needs_the_method():
    class Without:
        @force_full_init
        def length(self):
            return 1

    with pytest.raises(AttributeError, match="Without has no method full_init"):
        Without().length()


def test_an_item_that_the_pipeline_gives_up_is_replaced_by_another(ann_file):
    def only_dogs(info):
        return info if info["label"] == 1 else None

    np.random.seed(0)
    dataset = BaseDataset(ann_file, pipeline=[only_dogs])
    assert {dataset[index]["label"] for index in range(6)} == {1}
    in_test = BaseDataset(ann_file, pipeline=[only_dogs], test_mode=True)
    with pytest.raises(DataError, match="gave up item 0"):
        in_test[0]
    nothing = BaseDataset(ann_file, pipeline=[lambda info: None], max_refetch=3)
    with pytest.raises(DataError, match="gave up 4 items in a row"):
        nothing[0]


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ([1], "holds a list"),
        ({"data_list": []}, "has no 'metainfo'; it has data_list"),
        ({"metainfo": {}}, "has no 'data_list'"),
        ({"metainfo": {}, "data_list": [{"label": 1}]}, "has no 'img_path'"),
    ],
)
def test_annotation_files_of_another_form(tmp_path, annotations, message):
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(annotations))
    with pytest.raises(DataError, match=message):
        BaseDataset(str(path))


@pytest.mark.parametrize("annotations", [[1], {"data_list": []}])
@pytest.mark.parametrize("kind", [TypeError, ValueError])
def test_an_annotation_file_of_another_form_is_caught_as_mmengines_users_do(
    tmp_path, annotations, kind
):
    path = tmp_path / "ann.json"
    path.write_text(json.dumps(annotations))
    with pytest.raises(kind):
        BaseDataset(str(path))


def test_it_can_be_sent_to_a_worker(ann_file):
    assert labels(pickle.loads(pickle.dumps(BaseDataset(ann_file)))) == [0, 1] * 3


@given(items=st.lists(st.dictionaries(st.text(max_size=3), st.integers()), max_size=8))
def test_packing_and_unpacking(items):
    data, ends = pack(items)
    assert [unpack(data, ends, index) for index in range(len(items))] == items
    assert [unpack(data, ends, index - len(items)) for index in range(len(items))] == items
    backwards = list(range(len(items)))[::-2]
    data, ends = select(data, ends, backwards)
    assert [unpack(data, ends, index) for index in range(len(ends))] == items[::-2]


# Pipelines


def test_a_pipeline_applies_its_transforms_in_order():
    @TRANSFORMS.register_module(name="AddForTest", force=True)
    class Add:
        def __init__(self, amount):
            self.amount = amount

        def __call__(self, number):
            return number + self.amount

    pipeline = Compose([dict(type="AddForTest", amount=2), lambda number: number * 10])
    assert pipeline(1) == 30
    assert pipeline.transforms[0].amount == 2
    assert "Add object" in repr(pipeline)
    assert Compose(None)(5) == 5


def test_none_ends_a_pipeline():
    assert repr(Compose([len, len])) == f"Compose(\n    {len}\n    {len}\n)"
    assert Compose([lambda data: None, lambda data: 1 / 0])(1) is None


def test_an_entry_that_cannot_be_called_is_refused():
    with pytest.raises(ConfigError, match="entry 1 of the pipeline is 3") as caught:
        Compose([len, 3])
    assert isinstance(caught.value, TypeError)


def test_a_folder_of_data_is_a_path(tmp_path):
    with pytest.raises(TypeError, match="data_prefix"):
        BaseDataset(data_prefix={"img_path": ["images"]}, lazy_init=True)
