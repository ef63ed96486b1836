"""Threads give the batches that worker processes give: order, random numbers, errors, position."""

from __future__ import annotations

import gc
import itertools
import random
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, TensorDataset

from mainspring.checkpoint import load_file
from mainspring.config import later
from mainspring.dataset import DataLoader, TokenBudgetBatchSampler
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.rng.own_generators import generators_in, with_generators_copied
from mainspring.runner import Runner


class Jitter:
    """A transform with generators of its own, one of them held deep inside."""

    def __init__(self):
        self.numbers = {"numpy": [np.random.default_rng(3)]}
        self.torchs = torch.Generator()

    def __call__(self, value):
        noise = torch.rand(2, generator=self.torchs)
        return value + noise + float(self.numbers["numpy"][0].random())


class Slow(Dataset):
    """Items that take the longer the smaller their index, and draw from generators of its own."""

    def __init__(self, count=24):
        self.items = torch.arange(float(count))
        self.rng = random.Random(1)
        self.transforms = [Jitter()]
        self.seen_in = set()

    def __len__(self):
        return len(self.items)

    def __getitem__(self, index):
        time.sleep(0.001 * (len(self) - index) / len(self))
        self.seen_in.add(threading.current_thread().name)
        return self.transforms[0](self.items[index] + self.rng.random())


def loader(**settings):
    return DataLoader(Slow(), **{"batch_size": 4, "shuffle": True, "seed": 5, **settings})


def passes(given, count=2):
    return [[batch.clone() for batch in given] for _ in range(count)]


def same(left, right):
    assert len(left) == len(right)
    return all(torch.equal(one, other) for one, other in zip(left, right))


class Mix:
    """A collate function with a generator of its own."""

    def __init__(self):
        self.rng = np.random.default_rng(4)

    def __call__(self, items):
        return torch.stack(items) * float(self.rng.random())


@pytest.mark.parametrize("collate", [None, Mix])
def test_the_batches_are_those_of_worker_processes(collate):
    def made(**settings):
        return loader(collate_fn=collate and collate(), **settings)

    expected = passes(made(num_workers=2))
    for threads, factor in ((1, None), (3, 1), (8, 4)):
        given = made(threads=threads, prefetch_factor=factor)
        assert all(map(same, passes(given), expected)), threads
        if threads > 1:
            assert len(given.dataset.seen_in - {"MainThread"}) > 1


def test_neither_the_generators_of_the_training_nor_those_of_the_data_set_move():
    data = Slow()
    before = [torch.get_rng_state(), random.getstate(), data.rng.getstate()]
    for _ in DataLoader(data, batch_size=4, threads=2, seed=1):
        pass
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (random.getstate(), data.rng.getstate()) == tuple(before[1:])


def test_single_items_and_batches_in_one_call():
    class Whole(Slow):
        def __getitems__(self, indices):
            return [super(Whole, self).__getitem__(index) for index in indices]

        def __getitem__(self, index):
            raise AssertionError("it loads batches")

    for make in (
        lambda **more: DataLoader(Slow(), batch_size=None, seed=2, **more),
        lambda **more: DataLoader(Whole(), batch_size=5, seed=2, **more),
    ):
        assert same(list(make(threads=2)), list(make(num_workers=1)))


def test_it_goes_on_behind_any_batch():
    for make in (
        loader,
        lambda **more: DataLoader(
            Slow(),
            shuffle=True,
            seed=5,
            batch_sampler=later(TokenBudgetBatchSampler)(max_tokens=12, lengths=[1, 2, 3] * 8),
            **more,
        ),
    ):
        whole = list(make(threads=3))
        begun = make(threads=3)
        taken = list(itertools.islice(begun, 2))
        resumed = make(threads=2)
        resumed.load_state_dict(begun.state_dict())
        assert same([*taken, *resumed], whole)


@pytest.mark.parametrize(
    ("draw", "name"),
    [
        (random.random, "python"),
        (np.random.rand, "numpy"),
        (lambda: torch.rand(1), "torch"),
    ],
)
def test_items_that_draw_from_a_global_generator_are_refused(draw, name):
    class Draws(Slow):
        def __getitem__(self, index):
            draw()
            return super().__getitem__(index)

    given = DataLoader(Draws(), batch_size=4, threads=2, seed=1)
    states = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist()
    with pytest.raises(ConfigError, match=f"draw from the global generator of {name}"):
        list(given)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert len(list(DataLoader(Draws(), batch_size=4, num_workers=1, seed=1))) == 6


def test_an_error_names_the_item_and_keeps_its_type():
    class Broken(Slow):
        def __getitem__(self, index):
            if index == 13:
                raise FileNotFoundError("no such picture")
            return super().__getitem__(index)

    batches = iter(DataLoader(Broken(), batch_size=4, threads=2, seed=1))
    assert len(list(itertools.islice(batches, 3))) == 3
    with pytest.raises(FileNotFoundError, match="no such picture") as error:
        next(batches)
    (note,) = error.value.__notes__
    assert "while loading index 13 of Broken in a thread of the loader" in note


def threads_of_loaders():
    return [t for t in threading.enumerate() if t.name.startswith("thread of the loader")]


def wait_for_end():
    for _ in range(200):
        if not threads_of_loaders():
            return
        time.sleep(0.02)
    raise AssertionError(threads_of_loaders())


def test_threads_end_with_the_pass_when_it_is_left_and_when_they_are_told_to():
    given = loader(threads=3)
    list(given)
    gc.collect()
    wait_for_end()
    batches = iter(given)
    next(batches)
    assert threads_of_loaders()
    del batches
    gc.collect()
    wait_for_end()
    batches = iter(given)
    next(batches)
    assert end_workers(given)
    assert not threads_of_loaders()


def test_generators_are_copied_and_all_else_is_shared():
    data = Slow()
    copied = with_generators_copied(data)
    assert copied is not data
    assert copied.items is data.items
    assert copied.seen_in is data.seen_in
    own, others = generators_in(data), generators_in(copied)
    assert len(own) == 3
    assert [type(one) for one in own] == [type(other) for other in others]
    assert not {id(one) for one in own} & {id(other) for other in others}
    plain = TensorDataset(torch.zeros(3))
    assert with_generators_copied(plain) is plain


class Stream(IterableDataset):
    def __iter__(self):
        yield from range(3)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (dict(threads=-1), "threads is -1"),
        (dict(threads=2, num_workers=2), "threads=2 and num_workers=2"),
        (dict(threads=2, sample_rng="worker"), "seeded one by one"),
        (dict(threads=2, dataset=Stream()), "seeded one by one"),
    ],
)
def test_mistakes(settings, said):
    with pytest.raises(ConfigError, match=said):
        DataLoader(**{"dataset": Slow(), **settings})


class Pairs(Slow):
    def __getitem__(self, index):
        value = super().__getitem__(index)
        return value, value.sum(0, keepdim=True)


class Cut(Hook):
    priority = "LOWEST"

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            raise KeyboardInterrupt


def run(work_dir, cut_at=None, resume=False, **workers):
    torch.manual_seed(0)
    runner = Runner(
        model=Supervised(
            nn.Sequential(nn.Linear(2, 4), nn.Dropout(), nn.Linear(4, 1)), nn.MSELoss()
        ),
        work_dir=str(work_dir),
        train_dataloader=dict(
            type="DataLoader", dataset=Pairs(), batch_size=4, shuffle=True, **workers
        ),
        train_cfg={"max_epochs": 3},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 1e-4}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1, "by_epoch": False}},
        custom_hooks=[Cut(cut_at)],
        randomness={"seed": 0},
        resume=resume,
    )
    if cut_at is None:
        runner.train()
    else:
        with pytest.raises(KeyboardInterrupt):
            runner.train()


def test_a_run_ends_like_one_with_processes_also_when_it_was_cut_off(tmp_path, capfd):
    run(tmp_path / "processes", num_workers=2)
    run(tmp_path / "threads", threads=3)
    run(tmp_path / "parts", cut_at=8, threads=3)
    wait_for_end()
    run(tmp_path / "parts", resume=True, threads=2)
    whole, *others = (
        load_file(tmp_path / name / "iter_18.pth") for name in ("processes", "threads", "parts")
    )
    for other in others:
        torch.testing.assert_close(whole["state_dict"], other["state_dict"], rtol=0, atol=0)
    wait_for_end()
    assert "a resumed run may differ: dataset.rng" not in capfd.readouterr().out
