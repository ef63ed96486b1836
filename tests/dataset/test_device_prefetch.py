"""Batches are copied ahead, and nobody can tell: not the order, the position, or the errors."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from mainspring.dataset import DataLoader
from mainspring.dataset.loader.device_prefetch import CudaCopies, DevicePrefetcher
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.structures import InstanceData
from mainspring.structures.nested import tensors_in, to_device


class Notes:
    """Copies nothing, and notes what happens."""

    def __init__(self):
        self.events = []

    def start(self, batch):
        self.events.append(f"start {batch}")
        return batch

    def finish(self, batch):
        self.events.append(f"finish {batch}")
        return batch


def test_the_next_batch_is_on_its_way_while_one_is_used():
    notes = Notes()
    for batch in DevicePrefetcher(iter("abc"), notes):
        notes.events.append(f"use {batch}")
    assert notes.events == [
        "start a", "finish a", "start b", "use a",
        "finish b", "start c", "use b",
        "finish c", "use c",
    ]  # fmt: skip


def failing():
    yield 1
    yield 2
    raise ValueError("torn file")


def test_an_error_waits_for_its_turn():
    batches = DevicePrefetcher(failing(), Notes())
    assert [next(batches), next(batches)] == [1, 2]
    with pytest.raises(ValueError, match="torn file"):
        next(batches)
    with pytest.raises(StopIteration):
        next(batches)


def test_the_end_stays_the_end():
    batches = DevicePrefetcher(iter([]), Notes())
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(batches)


class Drawing(Dataset):
    def __init__(self, fails_at=None):
        self.fails_at = fails_at

    def __len__(self):
        return 12

    def __getitem__(self, index):
        if index == self.fails_at:
            raise ValueError("torn file")
        return index, random.random()


def pinning(loader):
    """As if there were memory to pin: torch itself pins nothing without a device."""
    loader.pin_memory = True
    return loader


LOADERS = {
    "ours": lambda: DataLoader(Drawing(), 2, shuffle=True, seed=1, collate_fn=list),
    "ours, workers": lambda: DataLoader(
        Drawing(), 2, shuffle=True, seed=1, collate_fn=list, num_workers=2
    ),
    "torch's, workers": lambda: TorchDataLoader(
        Drawing(), 2, shuffle=True, collate_fn=list, num_workers=2
    ),
    "torch's, tensors": lambda: TorchDataLoader(TensorDataset(torch.arange(12)), 2),
}


@pytest.mark.filterwarnings("ignore:.*pin_memory.*")
@pytest.mark.parametrize("kind", LOADERS)
def test_order_position_and_random_numbers_are_those_without_it(kind):
    def run(copies, stop, state=None):
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        source = ResumableLoader(pinning(LOADERS[kind]()), 5, copies)
        first = 0
        if state is not None:
            first, saved = state
            source.load_state_dict(saved)
        found = []
        for batch in source.batches(0, first):
            found.append((batch, random.random(), torch.rand(()).item()))
            if len(found) == stop:
                return found, source.state_dict()
        return found, source.state_dict()

    expected, _ = run(None, None)
    notes = Notes()
    assert str(run(notes, None)[0]) == str(expected)
    assert len(notes.events) == 12, "it was in use"
    _, without = run(None, 3)
    cut, state = run(Notes(), 3)
    assert str(state) == str(without)
    rest, _ = run(Notes(), None, (3, state))
    assert str([batch for batch, *_ in cut + rest]) == str([batch for batch, *_ in expected])


class Stream(IterableDataset):
    """A stream that tells its position."""

    def __init__(self):
        self.at = 0

    def __iter__(self):
        while self.at < 8:
            self.at += 1
            yield self.at

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


@pytest.mark.filterwarnings("ignore:.*pin_memory.*")
@pytest.mark.parametrize(
    "loader",
    [
        lambda: pinning(TorchDataLoader(Drawing(), 2, collate_fn=list)),
        lambda: pinning(DataLoader(Drawing(), 2, sample_rng="worker", collate_fn=list)),
        lambda: pinning(DataLoader(Stream(), 2, collate_fn=list)),
        lambda: DataLoader(Drawing(), 2, collate_fn=list, pin_memory=False),
        lambda: [1, 2, 3],
    ],
    ids=["draws here", "MMEngine's stream", "own position", "not pinned", "list"],
)
def test_it_is_left_out_where_it_could_change_something_or_not_help(loader):
    notes = Notes()
    assert len(list(ResumableLoader(loader(), 5, notes).batches())) > 0
    assert notes.events == []


@pytest.mark.filterwarnings("ignore:.*pin_memory.*")
@pytest.mark.parametrize("workers", [0, 2])
def test_a_broken_item_is_raised_after_the_batches_before_it(workers):
    loader = pinning(
        DataLoader(Drawing(fails_at=5), 2, seed=1, collate_fn=list, num_workers=workers)
    )
    found = []
    try:
        for batch in ResumableLoader(loader, 1, Notes()).batches():
            found.append([index for index, _ in batch])
    except ValueError as error:
        notes = " ".join(error.__notes__)
    assert found == [[0, 1], [2, 3]]
    assert "while loading index 5" in notes


class Pair(NamedTuple):
    left: Any
    right: Any


def test_nested_tensors_are_found_and_moved():
    ones = [torch.ones(2) for _ in range(6)]
    instances = InstanceData(boxes=ones[4])
    data = {
        "a": ones[0],
        "b": [ones[1], (ones[2], "text", None, 3)],
        "c": Pair(ones[3], b"bytes"),
        "d": instances,
        "e": (ones[5],),
    }
    found = list(tensors_in(data))
    assert {id(tensor) for tensor in found} == {id(tensor) for tensor in ones}
    moved = to_device(data, torch.device("meta"))
    assert [tensor.device.type for tensor in tensors_in(moved)] == ["meta"] * 6
    assert type(moved["c"]) is Pair
    assert moved["b"][1][1:] == ("text", None, 3)
    assert instances.boxes.device.type == "cpu"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_batches_arrive_whole_whatever_is_computed_meanwhile(gpu_waits):
    device = torch.device("cuda")
    data = TensorDataset(torch.arange(64.0).repeat_interleave(1 << 16).view(64, -1))
    loader = TorchDataLoader(data, 8, pin_memory=True)
    busy = torch.rand(2048, 2048, device=device)
    copies = CudaCopies(device)
    sums = []
    for _ in range(3):
        gpu_waits("error")
        for batch in ResumableLoader(loader, 1, copies).batches():
            busy = busy @ busy.softmax(0)
            sums.append(batch[0].sum(1, dtype=torch.float64))
            del batch
        gpu_waits("default")
    expected = torch.arange(64.0, dtype=torch.float64).mul(1 << 16).repeat(3)
    assert torch.equal(torch.cat(sums).cpu(), expected)
