"""An item that cannot be loaded is named: its index, its data set, its file, and the worker."""

from __future__ import annotations

import json

import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, Subset, TensorDataset, get_worker_info

from mainspring.dataset import BaseDataset, ConcatDataset, DataLoader
from mainspring.dataset.loader.resumable_loader import ResumableLoader, naming_batches
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.errors import DataError


class Broken(Dataset):
    """Item 5 cannot be loaded."""

    def __init__(self, error=None):
        self.error = error or KeyError("label")

    def __len__(self):
        return 8

    def __getitem__(self, index):
        if index == 5:
            raise self.error
        return torch.tensor(index)


class BrokenBatches(Broken):
    def __getitems__(self, indices):
        return [self[index] for index in indices]


WAYS = {
    "training": lambda loader: ResumableLoader(loader, seed=None).batches(),
    "evaluation": naming_batches,
}


def said_by(loader, way):
    """All that an error says, notes and, from a worker, its text."""
    with pytest.raises(KeyError) as caught:
        list(WAYS[way](loader))
    end_workers(loader)  # as a run does: left to the collector, torch waits ten seconds for them
    return "\n".join([str(caught.value), *getattr(caught.value, "__notes__", [])]).replace(
        "\\n", "\n"
    )


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("workers", [0, 2])
def test_errors_in_torchs_own_loader_name_the_item(way, workers):
    said = said_by(TorchDataLoader(Broken(), batch_size=2, num_workers=workers), way)
    place = "in worker 0" if workers else "in the main process"
    assert f"while loading index 5 of Broken {place}" in said


@pytest.mark.parametrize("way", WAYS)
def test_a_data_set_that_loads_batches_names_those_of_the_batch(way):
    said = said_by(TorchDataLoader(BrokenBatches(), batch_size=2), way)
    assert "while loading indices [4, 5] of BrokenBatches in the main process" in said


@pytest.mark.parametrize("way", WAYS)
def test_an_item_cannot_end_the_epoch(way):
    loader = TorchDataLoader(Broken(StopIteration()), batch_size=2)
    with pytest.raises(DataError, match="index 5 of Broken in the main process raised StopIter"):
        list(WAYS[way](loader))


@pytest.fixture
def annotated(tmp_path):
    file = tmp_path / "annotations.json"
    items = [{"img_path": f"{number}.png", "label": number} for number in range(8)]
    file.write_text(json.dumps({"metainfo": {}, "data_list": items}))

    class Images(BaseDataset):
        def prepare_data(self, idx):
            if self.get_data_info(idx)["label"] == 5:
                raise KeyError("no such colour")
            return idx

    return Images(str(file))


@pytest.mark.parametrize(
    ("wrap", "index"),
    [
        (lambda data: data, 5),
        (lambda data: Subset(data, [4, 5]), 1),
        (lambda data: ConcatDataset([data, data]), 5),
    ],
    ids=["alone", "subset", "concatenated"],
)
@pytest.mark.parametrize("kind", [DataLoader, TorchDataLoader])
def test_the_file_is_named_where_the_data_set_knows_it(annotated, wrap, index, kind):
    data = wrap(annotated)
    said = said_by(kind(data, batch_size=2), "evaluation")
    assert f"index {index} of {type(data).__name__} (img_path: 5.png) in the main process" in said


def test_a_data_set_that_cannot_say_which_file_it_was_is_no_further_error():
    class Confused(Broken):
        def get_data_info(self, index):
            raise RuntimeError("confused")

    assert "index 5 of Confused in the main" in said_by(DataLoader(Confused()), "evaluation")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("data", [TensorDataset(torch.arange(7)), list(range(7))], ids=type)
def test_batches_are_those_of_the_loader(data, workers):
    loader = TorchDataLoader(
        data, batch_size=2, num_workers=workers, persistent_workers=workers > 0
    )
    expected = list(loader)
    for _ in range(2):
        assert [str(batch) for batch in naming_batches(loader)] == [str(each) for each in expected]
    assert loader.dataset is data


def test_workers_see_the_real_data_set():
    def look(worker_id):
        assert type(get_worker_info().dataset) is list

    assert (
        len(list(naming_batches(TorchDataLoader([1, 2], num_workers=1, worker_init_fn=look)))) == 2
    )


@pytest.mark.parametrize("ready", [[1, 2, 3], range(3)], ids=type)
def test_anything_else_is_iterated_as_it_is(ready):
    assert list(naming_batches(ready)) == list(ready)


class Made(Dataset):
    """Eight items that a function makes of their indices."""

    def __init__(self, make):
        self.make = make

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return self.make(index)


@pytest.mark.parametrize(
    ("make", "said", "unsaid"),
    [
        (lambda i: None if i == 5 else (torch.ones(2), i), ["item 5 is None", "float32 (2,), int"], ["item 1"]),
        (lambda i: None, ["None", "return"], ["item 5"]),
        (lambda i: torch.ones(3, 2 + (i == 6)), ["item 6 is float32 (3, 3)", "float32 (3, 2)"], ["item 1"]),
        (lambda i: torch.ones(i + 1), ["float32 (1,)", "alike"], []),
        (lambda i: {"a": 1} if i != 3 else {"b": 1}, ["item 3", "{b: int}", "{a: int}"], ["item 1"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize(
    "passes",
    [
        lambda data: DataLoader(data, batch_size=8),
        lambda data: naming_batches(TorchDataLoader(data, batch_size=8)),
    ],
    ids=["ours", "torch's"],
)
def test_the_item_that_is_unlike_the_others_is_named(passes, make, said, unsaid):
    with pytest.raises(Exception) as caught:  # noqa: PT011 - of any type
        list(passes(Made(make)))
    notes = " ".join(caught.value.__notes__)
    assert all(words in notes for words in said), notes
    assert not any(words in notes for words in unsaid), notes
    assert notes.count("item ") < 4
