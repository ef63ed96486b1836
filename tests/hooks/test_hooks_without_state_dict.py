"""Hooks of one's own that say nothing of their state: what they count goes on when a run does."""

from __future__ import annotations

import copy
import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader

from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner


class Stop(Exception):
    pass


class StopAt(Hook):
    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise Stop


class Wave(Hook):
    """Steers the learning rate by all kinds of attributes."""

    def __init__(self, rate: float = 0.1) -> None:
        self.rate = rate
        self.count = 0
        self.mean = 0.0
        self.generator = np.random.default_rng(0)
        self.trace = torch.zeros(2)
        self.levels = np.zeros(2)

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.count += 1
        self.mean += 0.25 * (self.count % 3 - self.mean)
        self.trace += self.count % 5
        self.levels[0] += 0.5
        steer = self.mean + self.generator.random() + float(self.trace[0] + self.levels[0])
        for group in runner.optim_wrapper.param_groups:
            group["lr"] = self.rate / (1 + steer % 7)


class FollowsByHand(Hook):
    """A moving average that pulls the weights towards it, written through ``.data``."""

    average: nn.Module

    def before_run(self, runner):
        self.run_of_mine = runner
        self.average = copy.deepcopy(runner.model)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        both = zip(self.average.parameters(), runner.model.parameters(), strict=True)
        for mean, now in both:
            mean.data.mul_(0.9).add_(now.data, alpha=0.1)
            now.data.lerp_(mean.data, 0.05)


class NoHookByClass:
    """Need not derive from `Hook`."""

    count = 0

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.count += 1
        for group in runner.optim_wrapper.param_groups:
            group["lr"] = 0.1 / (1 + self.count % 4)


def train(work_dir: Path, hooks: list[Any], *, by_epoch: bool = True, **more: Any) -> Runner:
    torch.manual_seed(0)
    points = torch.randn(24, 3)
    runner = Runner(
        model=Supervised(nn.Linear(3, 2), nn.CrossEntropyLoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(
            list(zip(points, (points[:, 0] > 0).long(), strict=True)), batch_size=4, shuffle=True
        ),
        train_cfg={"max_epochs": 3} if by_epoch else {"max_iters": 18},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1, "by_epoch": False}},
        custom_hooks=hooks,
        randomness={"seed": 1},
        **more,
    )
    runner.train()
    return runner


def cut(work_dir: Path, hooks: list[Any], iteration: int, **more: Any) -> None:
    with pytest.raises(Stop):
        train(work_dir, [*hooks, StopAt(iteration)], **more)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    """A run that nothing interrupts, which is the same wherever others stop."""
    return functools.cache(
        lambda make, by_epoch: train(tmp_path_factory.mktemp("whole"), [make()], by_epoch=by_epoch)
    )


@pytest.mark.parametrize("by_epoch", [True, False])
@pytest.mark.parametrize("make", [Wave, FollowsByHand, NoHookByClass])
@pytest.mark.parametrize("iteration", [6, 10])
def test_a_resumed_run_is_the_whole_one(tmp_path, uninterrupted, make, by_epoch, iteration):
    whole = uninterrupted(make, by_epoch)
    cut(tmp_path / "cut", [make()], iteration, by_epoch=by_epoch)
    resumed = train(tmp_path / "cut", [make()], by_epoch=by_epoch, resume=True)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name


def test_two_hooks_of_a_class_keep_their_own(tmp_path):
    def both() -> list[Wave]:
        hooks = [Wave(), Wave(0.2)]
        hooks[1].count = 100
        return hooks

    cut(tmp_path, both(), 5)
    again = both()
    train(tmp_path, again, resume=True)
    assert [hook.count for hook in again] == [18, 118]


def test_what_the_run_did_not_change_is_what_is_written_today(tmp_path):
    cut(tmp_path, [Wave(rate=0.1)], 5)
    again = Wave(rate=0.3)
    train(tmp_path, [again], resume=True)
    assert (again.rate, again.count) == (0.3, 18)


class CountsDown(Hook):
    def __init__(self, left: int) -> None:
        self.left = left

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.left -= 1


def test_a_number_that_is_written_otherwise_today_begins_with_that(tmp_path):
    cut(tmp_path, [CountsDown(100)], 5)
    other, same = CountsDown(50), CountsDown(100)
    train(tmp_path, [other], resume=True)
    assert other.left == 50 - 14
    cut(tmp_path / "again", [CountsDown(100)], 5)
    train(tmp_path / "again", [same], resume=True)
    assert same.left == 100 - 18


class Switches(Hook):
    """Has done something to this process, which the next one must do again."""

    def __init__(self) -> None:
        self.is_done = False
        self.times = 0
        self.source = None
        self.seen: list[int] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.iter)
        if not self.is_done:
            self.is_done = True
            self.times += 1
            self.source = iter([1, 2])


def test_what_is_not_saved_is_said_once_with_its_place(tmp_path, capfd):
    cut(tmp_path, [Switches()], 4)
    said = capfd.readouterr().out
    assert said.count("not in the checkpoints: Switches.is_done, Switches.seen. Flags") == 1
    assert said.count("Switches.source (an iterator") == 1
    again = Switches()
    train(tmp_path, [again], resume=True)
    assert (again.is_done, again.times) == (True, 2)
    assert again.seen == list(range(3, 18)), "what a hook records is of this process"


class Tells(Wave):
    def state_dict(self):
        return {"count": self.count}

    def load_state_dict(self, state_dict):
        self.count = state_dict["count"] + 1000


def test_a_hook_that_says_what_it_remembers_is_left_alone(tmp_path):
    cut(tmp_path, [Tells()], 4)
    again = Tells()
    train(tmp_path, [again], resume=True)
    assert again.count == 1018
    assert again.levels[0] == 15 * 0.5


def test_the_run_and_its_parts_are_not_saved_a_second_time(tmp_path):
    cut(tmp_path, [FollowsByHand()], 4)
    inner = torch.load(tmp_path / "iter_3.pth", weights_only=True)["mainspring"]["inner"][0]
    assert list(inner["hooks"]) == ["FollowsByHand.average"]
