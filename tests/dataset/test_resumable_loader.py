"""Any loader continues in the middle of a pass with the batches that an uninterrupted one gives."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch.utils.data import BatchSampler, Dataset, IterableDataset, RandomSampler, Sampler
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.dataset import DataLoader
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.order import noted_draws
from mainspring.rng.states import RandomStates


class Counted(Dataset):
    """Items with random numbers of all three generators; counts what is loaded here."""

    def __init__(self, size=33, draws=True):
        self.size = size
        self.draws = draws
        self.loaded = 0

    def __len__(self):
        return self.size

    def __getitem__(self, index):
        self.loaded += 1
        if not self.draws:
            return torch.tensor([float(index)])
        return torch.cat(
            [torch.tensor([float(index), random.random(), np.random.rand()]), torch.rand(1)]
        ).double()


class DrawnWhenItBegins(Sampler):
    """Draws an order from the generators of Python and NumPy."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __iter__(self):
        order = list(range(self.size))
        random.shuffle(order)
        np.random.shuffle(order)
        return iter(order)


class Walk(DrawnWhenItBegins):
    """Goes on from index to index by a step that it draws from all three generators."""

    def __iter__(self):
        place = 0
        for _ in range(self.size):
            place += random.randrange(9) + np.random.randint(9) + int(torch.randint(9, ()))
            yield place % self.size


class Pairs(Sampler):
    """A batch sampler around a sampler, such as those that sort by aspect ratio."""

    def __init__(self, sampler):
        self.sampler = sampler

    def __len__(self):
        return len(self.sampler) // 2

    def __iter__(self):
        order = list(self.sampler)
        pairs = [order[start : start + 2] for start in range(0, len(order), 2)]
        random.shuffle(pairs)
        yield from pairs


def torch_loader(data, **options):
    return TorchDataLoader(data, **{"batch_size": 3, **options})


LOADERS = {
    "shuffled": lambda data: torch_loader(data, shuffle=True),
    "in order": torch_loader,
    "own generator": lambda data: torch_loader(
        data, shuffle=True, generator=torch.Generator().manual_seed(5)
    ),
    "with replacement": lambda data: torch_loader(
        data, sampler=RandomSampler(data, replacement=True)
    ),
    "sampler of Python": lambda data: torch_loader(data, sampler=DrawnWhenItBegins(len(data))),
    "walk": lambda data: torch_loader(data, sampler=Walk(len(data))),
    "walk, workers": lambda data: torch_loader(data, sampler=Walk(len(data)), num_workers=2),
    "walk, persistent workers": lambda data: torch_loader(
        data, sampler=Walk(len(data)), num_workers=2, persistent_workers=True, prefetch_factor=1
    ),
    "walk, ours": lambda data: DataLoader(data, batch_size=3, sampler=Walk(len(data)), seed=7),
    "walk, ours with workers": lambda data: DataLoader(
        data, batch_size=3, sampler=Walk(len(data)), num_workers=2, prefetch_factor=1, seed=7
    ),
    "batch sampler": lambda data: TorchDataLoader(data, batch_sampler=Pairs(RandomSampler(data))),
    "drop last": lambda data: torch_loader(
        data, batch_sampler=BatchSampler(RandomSampler(data), 5, drop_last=True), batch_size=1
    ),
    "single items": lambda data: torch_loader(data, shuffle=True, batch_size=None),
    "two workers": lambda data: torch_loader(data, shuffle=True, num_workers=2),
    "persistent workers": lambda data: torch_loader(
        data, shuffle=True, num_workers=2, persistent_workers=True
    ),
    "ours with torch's sampler": lambda data: DataLoader(
        data, batch_size=3, sampler=RandomSampler(data), seed=7
    ),
    "ours with torch's sampler and workers": lambda data: DataLoader(
        data, batch_size=3, sampler=RandomSampler(data), num_workers=2, seed=7
    ),
}


def seed_everything(seed):
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)


def trained_on(source, epoch, first_batch=0, interrupt_at=None, others_draw=False):
    """The batches of a pass and a draw after each, as dropout makes one; or the state there.

    Others may draw once the pass began, as initial weights do where the loader is started before.
    """
    if hasattr(source.loader, "set_epoch"):
        source.loader.set_epoch(epoch)
    batches = source.batches(epoch, first_batch)
    if others_draw:
        seed_everything(epoch + 5)
    seen = []
    for number, batch in enumerate(batches, first_batch + 1):
        seen.append((batch.tolist(), torch.rand(()).item()))
        if number == interrupt_at:
            return source.state_dict(), RandomStates.capture().state_dict()
    return seen


@pytest.mark.parametrize("kind", LOADERS)
@pytest.mark.parametrize(("interrupt_at", "others_draw"), [(1, True), (5, False)])
def test_a_continued_pass_is_the_rest_of_the_whole_one_and_loads_nothing_else(
    kind, interrupt_at, others_draw
):
    seed_everything(1)
    whole = ResumableLoader(LOADERS[kind](Counted()), seed=3)
    trained_on(whole, 0)
    expected = trained_on(whole, 1, others_draw=others_draw)
    following = trained_on(whole, 2)

    seed_everything(1)
    interrupted = ResumableLoader(LOADERS[kind](Counted()), seed=3)
    trained_on(interrupted, 0)
    state, generators = trained_on(interrupted, 1, 0, interrupt_at, others_draw)

    seed_everything(99)
    data = Counted()
    resumed = ResumableLoader(LOADERS[kind](data), seed=3)
    resumed.load_state_dict(state)
    RandomStates.from_state_dict(generators).restore()
    assert trained_on(resumed, 1, interrupt_at) == expected[interrupt_at:]
    assert trained_on(resumed, 2) == following
    if "workers" not in kind:
        rest = sum(
            len(batch) if kind != "single items" else 1 for batch, _ in expected[interrupt_at:]
        )
        after = sum(len(batch) if kind != "single items" else 1 for batch, _ in following)
        assert data.loaded == rest + after


def test_a_pass_of_which_too_much_would_have_to_be_kept_is_said_once(monkeypatch, capsys):
    monkeypatch.setattr(noted_draws, "_MOST_NOTED", 2)
    source = ResumableLoader(LOADERS["walk"](Counted()), seed=3)
    trained_on(source, 0)
    trained_on(source, 1)
    printed = capsys.readouterr().out
    assert printed.count("draws from the global generators batch by batch") == 1
    assert "Walk" in printed
    assert "behind 2 batches of a pass" in printed
    assert len(source.state_dict()["interleaved"]) == 2


@pytest.mark.parametrize("kind", ["shuffled", "own generator", "two workers", "persistent workers"])
def test_a_run_continued_between_two_passes(kind):
    seed_everything(1)
    whole = ResumableLoader(LOADERS[kind](Counted()), seed=3)
    trained_on(whole, 0)
    state, generators = whole.state_dict(), RandomStates.capture().state_dict()
    expected = [trained_on(whole, 1), trained_on(whole, 2)]

    seed_everything(99)
    resumed = ResumableLoader(LOADERS[kind](Counted()), seed=3)
    resumed.load_state_dict(state)
    RandomStates.from_state_dict(generators).restore()
    assert [trained_on(resumed, 1), trained_on(resumed, 2)] == expected


def test_a_plain_loader_gives_what_torch_gives_draw_for_draw():
    seed_everything(2)
    expected = [(batch.tolist(), torch.rand(()).item()) for batch in LOADERS["shuffled"](Counted())]
    seed_everything(2)
    assert trained_on(ResumableLoader(LOADERS["shuffled"](Counted()), seed=3), 0) == expected


@pytest.mark.parametrize("kind", ["two workers", "persistent workers"])
def test_the_order_with_workers_is_that_of_torch(kind):
    seed_everything(2)
    theirs = LOADERS[kind](Counted(draws=False))
    expected = [[batch.tolist() for batch in theirs] for _ in range(2)]
    seed_everything(2)
    ours = ResumableLoader(LOADERS[kind](Counted(draws=False)), seed=3)
    assert [[batch.tolist() for batch in ours.batches(epoch)] for epoch in range(2)] == expected


def test_what_items_draw_in_workers_differs_between_passes_and_not_between_workers():
    def numbers(workers, epoch):
        source = ResumableLoader(torch_loader(Counted(), num_workers=workers), seed=3)
        return [batch.tolist() for batch in source.batches(epoch)]

    assert numbers(1, 0) == numbers(2, 0)
    assert numbers(2, 0) != numbers(2, 1)


def test_the_loader_is_left_as_it_was():
    data = Counted()
    loader = torch_loader(data, shuffle=True, num_workers=1)
    before = dict(loader.__dict__)
    list(ResumableLoader(loader, seed=3).batches(0, 2))
    assert {name: id(value) for name, value in loader.__dict__.items()} == {
        name: id(value) for name, value in before.items()
    }


def test_a_list_of_batches_is_cut():
    batches = [torch.tensor(number) for number in range(5)]
    assert list(ResumableLoader(batches).batches(0, 3)) == batches[3:]


class Stream(IterableDataset):
    def __init__(self, size=9):
        self.size = size
        self.loaded = 0

    def __iter__(self):
        for number in range(self.size):
            self.loaded += 1
            yield number


class StreamWithState(Stream):
    def __init__(self):
        super().__init__()
        self.at = 0

    def __iter__(self):
        while self.at < self.size:
            self.loaded += 1
            self.at += 1
            yield self.at - 1
        self.at = 0

    def state_dict(self):
        return {"at": self.at}

    def load_state_dict(self, state):
        self.at = state["at"]


@pytest.mark.parametrize(("kind", "loaded"), [(Stream, 9), (StreamWithState, 5)])
def test_a_stream_continues_from_its_own_state_or_is_read_again(kind, loaded):
    first = ResumableLoader(TorchDataLoader(kind(), batch_size=2))
    batches = first.batches()
    next(batches), next(batches)
    state = first.state_dict()
    data = kind()
    resumed = ResumableLoader(TorchDataLoader(data, batch_size=2))
    resumed.load_state_dict(state)
    assert [batch.tolist() for batch in resumed.batches(0, 2)] == [[4, 5], [6, 7], [8]]
    assert data.loaded == loaded


def test_the_state_is_plain(tmp_path):
    source = ResumableLoader(LOADERS["own generator"](Counted()), seed=3)
    next(source.batches())
    torch.save(source.state_dict(), tmp_path / "state.pth")
    assert (
        torch.load(tmp_path / "state.pth", weights_only=True).keys() == source.state_dict().keys()
    )


class DrawnOneByOne(Sampler):
    """Draws each index from torch's generator when it is asked for."""

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __iter__(self):
        for _ in range(self.size):
            yield int(torch.randint(self.size, ()))


LAZY = {
    "torch": lambda data, **options: torch_loader(
        data, sampler=DrawnOneByOne(len(data)), **options
    ),
    "ours": lambda data, **options: DataLoader(
        data, batch_size=3, sampler=DrawnOneByOne(len(data)), seed=7, **options
    ),
}


@pytest.mark.parametrize("kind", LAZY)
@pytest.mark.parametrize("options", [{}, {"num_workers": 2, "prefetch_factor": 1}])
@pytest.mark.parametrize("interrupt_at", [1, 5, 10])
def test_indices_that_are_drawn_while_training_goes_on(kind, options, interrupt_at):
    def source():
        return ResumableLoader(LAZY[kind](Counted(), **options), seed=3)

    seed_everything(1)
    expected = trained_on(source(), 1)
    seed_everything(1)
    state, generators = trained_on(source(), 1, interrupt_at=interrupt_at)
    seed_everything(99)
    resumed = source()
    resumed.load_state_dict(state)
    RandomStates.from_state_dict(generators).restore()
    assert trained_on(resumed, 1, interrupt_at) == expected[interrupt_at:]
