"""A generator that a data set keeps: in workers each item draws its own numbers, or it is said."""

from __future__ import annotations

import itertools
import random

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset

from mainspring.dataset import DataLoader
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.rng.own_generators import generators_in

MAKERS = {
    "random": (lambda: random.Random(1), lambda rng: rng.random()),
    "numpy": (lambda: np.random.default_rng(1), lambda rng: rng.random()),
    "legacy": (lambda: np.random.RandomState(1), lambda rng: rng.rand()),
    "torch": (
        lambda: torch.Generator().manual_seed(1),
        lambda rng: torch.rand((), generator=rng).item(),
    ),
}


class Crop:
    def __init__(self, kind):
        self.rng = MAKERS[kind][0]()
        self.kind = kind

    def __call__(self):
        return MAKERS[self.kind][1](self.rng)


class Augmented(Dataset):
    def __init__(self, kinds=("random",)):
        self.transforms = [Crop(kind) for kind in kinds]

    def __len__(self):
        return 8

    def __getitem__(self, index):
        return torch.tensor([float(index)] + [crop() for crop in self.transforms]).double()


def drawn(batches):
    return [tuple(item.tolist()) for batch in batches for item in batch]


def test_items_of_different_workers_and_epochs_draw_different_numbers():
    loader = DataLoader(Augmented(tuple(MAKERS)), batch_size=2, num_workers=2, seed=3)
    first = drawn(loader)
    loader.set_epoch(1)
    second = drawn(loader)
    numbers = [number for _, *numbers in first + second for number in numbers]
    assert len(set(numbers)) == len(numbers)


def test_they_do_not_depend_on_the_number_of_workers_or_an_interruption():
    one, two = (
        DataLoader(Augmented(("numpy", "torch")), batch_size=2, num_workers=n, seed=3)
        for n in (1, 2)
    )
    whole = drawn(one)
    part = list(itertools.islice(two, 3))
    assert drawn(part) == whole[:6]
    again = DataLoader(Augmented(("numpy", "torch")), batch_size=2, num_workers=1, seed=9)
    again.load_state_dict(two.state_dict())
    assert drawn(again) == whole[6:]


def test_so_it_is_for_torchs_own_loader_in_a_run():
    source = ResumableLoader(TorchDataLoader(Augmented(), batch_size=2, num_workers=2), seed=3)
    numbers = [number for epoch in range(2) for _, number in drawn(source.batches(epoch))]
    assert len(set(numbers)) == 16


def test_in_the_main_process_it_is_the_users_generator():
    rng = random.Random(1)
    numbers = [number for _, number in drawn(DataLoader(Augmented(), seed=3))]
    assert numbers == pytest.approx([rng.random() for _ in range(8)], abs=1e-6)


class OwnStream(IterableDataset):
    def __init__(self):
        self.rng = random.Random(1)

    def __iter__(self):
        yield from range(2)


@pytest.mark.parametrize(
    "loader",
    [
        lambda: iter(DataLoader(Augmented(), num_workers=1, sample_rng="worker", seed=1)),
        lambda: iter(DataLoader(OwnStream(), num_workers=1)),
        lambda: ResumableLoader(TorchDataLoader(Augmented(), num_workers=1)).batches(),
    ],
    ids=["worker streams", "stream", "torch's without a seed"],
)
def test_what_is_the_same_in_each_worker_is_said(loader, capsys, caplog):
    loader()
    said = capsys.readouterr()
    assert "draws the same numbers" in said.out + said.err + caplog.text


def test_generators_are_found_where_data_sets_keep_them():
    crop = Crop("numpy")
    crop.again = crop
    holder = Augmented(("random", "torch"))
    holder.named = {"crop": [crop], "data": list(range(10**6)), "tensor": torch.zeros(3)}
    assert len(generators_in(holder)) == 3
    assert generators_in(Augmented(())) == []
