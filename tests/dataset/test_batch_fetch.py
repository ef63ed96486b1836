"""Data sets that load a whole batch in one call."""

from __future__ import annotations

import random

import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, Subset

from mainspring.dataset import BaseDataset, ConcatDataset, DataLoader, RepeatDataset
from mainspring.dataset.first_items import FirstItems
from mainspring.dataset.workers.batch_fetch import loads_batches


class OneByOne(Dataset):
    metainfo: dict = {}

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return index, random.random()

    def full_init(self):
        pass

    def get_data_info(self, index):
        return {}


class AtOnce(OneByOne):
    """Notes which batches it was asked for."""

    def __init__(self):
        self.asked = []

    def __getitems__(self, indices):
        self.asked.append(list(indices))
        return [self[index] for index in indices]


class OverridesItems(AtOnce):
    def __getitem__(self, index):
        return -index, 0.0


class Unwanted(AtOnce):
    __getitems__ = None


def batches(dataset, **arguments):
    return list(DataLoader(dataset, batch_size=4, collate_fn=list, seed=3, **arguments))


def test_a_batch_is_asked_for_at_once():
    data = AtOnce()
    found = batches(data)
    assert data.asked == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert [[index for index, _ in batch] for batch in found] == data.asked


def test_what_a_batch_draws_is_the_same_in_workers_and_after_resuming():
    whole = batches(AtOnce())
    assert batches(AtOnce(), num_workers=2) == whole
    loader = DataLoader(AtOnce(), batch_size=4, collate_fn=list, seed=3)
    loader.load_state_dict({"epoch": 0, "batches": 1, "seed": 3})
    assert list(loader) == whole[1:]
    assert len({number for batch in whole for _, number in batch}) == 10


def test_as_in_torchs_loader():
    theirs = TorchDataLoader(AtOnce(), batch_size=4, collate_fn=list)
    ours = batches(AtOnce())
    assert [[i for i, _ in batch] for batch in theirs] == [[i for i, _ in batch] for batch in ours]


@pytest.mark.parametrize("kind", [OneByOne, OverridesItems, Unwanted])
def test_items_are_loaded_one_by_one_where_a_class_means_it(kind):
    assert not loads_batches(kind())
    expected = [kind()[index][0] for index in range(10)]
    assert [index for batch in batches(kind()) for index, _ in batch] == expected


@pytest.mark.parametrize(
    ("wrap", "asked"),
    [
        (lambda data: Subset(data, [7, 5, 3, 1, 9]), [[7, 5, 3, 1], [9]]),
        (lambda data: Subset(Subset(data, [9, 8, 7]), [2, 0]), [[7, 9]]),
        (lambda data: FirstItems(data, 5), [[0, 1, 2, 3], [4]]),
        (lambda data: RepeatDataset(initialised(data), 2), [[0, 1, 2, 3]]),
    ],
)
def test_wrappers_pass_batches_on(wrap, asked):
    data = AtOnce()
    wrapped = wrap(data)
    assert loads_batches(wrapped)
    batches(wrapped)
    assert data.asked[: len(asked)] == asked


def initialised(data):
    class Passing(BaseDataset):
        def __init__(self):
            super().__init__(lazy_init=True)

        def full_init(self):
            self._fully_initialized = True

        def __len__(self):
            return len(data)

        def __getitem__(self, index):
            return data[index]

        def __getitems__(self, indices):
            return data.__getitems__(indices)

    return Passing()


@pytest.mark.parametrize(
    "wrap",
    [
        lambda data: Subset(data, list(range(10))),
        lambda data: FirstItems(data, 10),
    ],
)
def test_a_wrapper_does_not_take_the_seeds_of_single_items_away(wrap):
    plain = batches(OneByOne())
    assert not loads_batches(wrap(OneByOne()))
    assert batches(wrap(OneByOne())) == plain


def test_concatenated_data_sets_are_asked_once_each():
    first, second = initialised(AtOnce()), initialised(AtOnce())
    whole = ConcatDataset([first, second])
    assert loads_batches(whole)
    found = whole.__getitems__([12, 3, 19, 0])
    assert [index for index, _ in found] == [2, 3, 9, 0]


class Fails(AtOnce):
    def __getitems__(self, indices):
        raise ValueError("torn file")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_names_the_indices_of_the_batch(workers):
    notes = []
    try:
        batches(Fails(), num_workers=workers)
    except ValueError as error:
        notes = error.__notes__
    place = "in worker 0" if workers else "in the main process"
    assert f"while loading indices [0, 1, 2, 3] of Fails {place}" in notes


def test_a_batch_need_not_be_a_list():
    class Stacked(AtOnce):
        def __getitems__(self, indices):
            return torch.tensor(indices)

    found = list(DataLoader(Stacked(), batch_size=5, collate_fn=lambda batch: batch, seed=0))
    assert torch.equal(torch.cat(found), torch.arange(10))
