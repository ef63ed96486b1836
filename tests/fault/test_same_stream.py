"""Which batches a run sees depends on seed and epoch, not on how many processes load or train."""

from __future__ import annotations

import itertools
import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from matrix import torchs
from matrix_parts import BATCH, ITEMS, Augmented, TwoShapes
from trainings import Trainings, digest

from mainspring.dataset import DataLoader, DefaultSampler, InfiniteSampler
from mainspring.dataset.loader.resumable_loader import ResumableLoader

BATCHES = 11  # of three passes

pytestmark = pytest.mark.filterwarnings("ignore:This DataLoader will create")


def stream(loader, batches=BATCHES):
    """Digests of the first batches, pass after pass."""
    found = []
    while len(found) < batches:
        for batch in loader:
            found.append(digest(batch))
            if len(found) == batches:
                break
    return found


def shuffled(**layout):
    return DataLoader(Augmented(), batch_size=BATCH, shuffle=True, seed=3, **layout)


def endless(**layout):
    sampler = InfiniteSampler(range(ITEMS), seed=3)
    return DataLoader(Augmented(), batch_size=BATCH, sampler=sampler, seed=3, **layout)


def by_shape(**layout):
    sampler = TwoShapes(DefaultSampler(range(ITEMS), seed=3))
    return DataLoader(Augmented(), batch_sampler=sampler, seed=3, **layout)


@pytest.mark.parametrize("make", [shuffled, endless, by_shape])
@pytest.mark.parametrize("workers", [2, 4])
@pytest.mark.parametrize("persistent", [False, True])
def test_the_batches_do_not_depend_on_workers(make, workers, persistent):
    layout = {"num_workers": workers, "persistent_workers": persistent}
    assert stream(make(**layout)) == stream(make())


def test_the_batches_depend_on_the_seed_and_the_pass():
    other = DataLoader(Augmented(), batch_size=BATCH, shuffle=True, seed=4)
    assert set(stream(shuffled(), 5)).isdisjoint(stream(other, 5))
    assert len(set(stream(shuffled()))) == BATCHES


def passes_of(loader, epochs=2):
    source = ResumableLoader(loader, seed=3)
    return [digest(batch) for epoch in range(epochs) for batch in source.batches(epoch)]


def test_a_loader_of_torch_gives_the_same_with_two_and_four_workers():
    streams = []
    for workers in (2, 4):
        torch.manual_seed(6)
        streams.append(passes_of(torchs(num_workers=workers)))
    assert streams[0] == streams[1]


def global_items(world_size, make_sampler, steps):
    """The items of each step over all ranks, as sorted digests; ranks are simulated."""
    parts = []
    for rank in range(world_size):
        sampler = make_sampler()
        sampler.rank, sampler.world_size = rank, world_size
        size = 8 // world_size
        loader = DataLoader(Augmented(), batch_size=size, sampler=sampler, seed=3)
        parts.append([
            [digest([row[index] for row in batch]) for index in range(len(batch[0]))]
            for _, batch in zip(range(steps), loader, strict=False)
        ])  # fmt: skip
    return [sorted(itertools.chain(*step)) for step in zip(*parts, strict=True)]


@pytest.mark.parametrize("world_size", [2, 4])
def test_the_global_batch_is_the_same_set_for_any_number_of_ranks(world_size):
    def in_epochs():
        return DefaultSampler(range(16), seed=3)

    def without_end():
        return InfiniteSampler(range(ITEMS), seed=3)

    assert global_items(world_size, in_epochs, 2) == global_items(1, in_epochs, 2)
    assert global_items(world_size, without_end, 5) == global_items(1, without_end, 5)


@pytest.fixture(scope="module")
def trainings():
    with Trainings() as started:
        yield started


@pytest.mark.parametrize("loader", ["ready_loader", "described_loader"])
def test_two_real_processes_see_what_one_does(loader, trainings, tmp_path):
    trainings.run(f"{loader}_1_rank", tmp_path / "one")
    trainings.run(f"{loader}_2_ranks", tmp_path / "two")
    assert items_of(tmp_path / "two") == items_of(tmp_path / "one")
    assert len(items_of(tmp_path / "one")) == 15


def items_of(work_dir):
    """The items that each step was trained on, over all ranks."""
    steps: dict[int, list[str]] = {}
    for path in work_dir.glob("seen-*"):
        for line in path.read_text().splitlines():
            step, *items = line.split()
            steps.setdefault(int(step), []).extend(items)
    return {step: sorted(items) for step, items in steps.items()}
