"""The clock of the machine is set while a run trains; nothing that matters goes by it."""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import suppress

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.checkpoint import find_resumable_checkpoint, verify_file
from mainspring.dataset import DataLoader
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner
from mainspring.runner.building import environment

YEARS = 10 * 365 * 24 * 3600
JUMPS = (0, -3600, YEARS, -YEARS, 5)
REAL = {name: getattr(time, name) for name in ("time", "time_ns", "localtime")}


class Clock:
    """The system's clock, set forward by some seconds."""

    def __init__(self, monkeypatch):
        self.offset = 0
        local = REAL["localtime"]
        monkeypatch.setattr(time, "time", self.now)
        monkeypatch.setattr(time, "time_ns", lambda: int(self.now() * 1e9))
        monkeypatch.setattr(
            time,
            "localtime",
            lambda seconds=None: local(self.now() if seconds is None else seconds),
        )

    def now(self):
        return REAL["time"]() + self.offset


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(environment, "_latest_start", 0.0)
    return Clock(monkeypatch)


class Jumps(Hook):
    """Sets the clock after each iteration, and gives files the times that they would have."""

    priority = "LOWEST"

    def __init__(self, clock, work_dir):
        self.clock, self.work_dir = clock, work_dir

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.clock.offset = JUMPS[runner.iter % len(JUMPS)]
        for number, path in enumerate(sorted(self.work_dir.glob("iter_*.pth"))):
            with suppress(FileNotFoundError):  # removed meanwhile by the thread that writes
                os.utime(path, (1e9 - 1e6 * number, 1e9 - 1e6 * number))


def run(work_dir, hooks=(), train_cfg=None, **changes):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(40, 3), torch.randn(40, 1))
    saving = {"type": "CheckpointHook", "interval": 2, "by_epoch": False, "max_keep_ckpts": 3}
    return Runner(
        model=Supervised(nn.Sequential(nn.Dropout(), nn.Linear(3, 1)), nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg=train_cfg or {"max_epochs": 2},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.1}},
        default_hooks={
            "logger": {"type": "LoggerHook", "interval": 1},
            "checkpoint": {**saving, "async_save": True},
        },
        custom_hooks=list(hooks),
        randomness={"seed": 1},
        **changes,
    )


def seconds_of(clock_text):
    days, rest = re.fullmatch(r"(?:(-?\d+) days?, )?(.*)", clock_text).groups()
    hours, minutes, seconds = (int(part) for part in rest.split(":"))
    return int(days or 0) * 86400 + hours * 3600 + minutes * 60 + seconds


def test_the_run_is_the_same_and_says_nothing_strange(tmp_path, clock, capfd):
    whole = run(tmp_path / "whole").train().state_dict()
    capfd.readouterr()

    folder = tmp_path / "jumping"
    jumping = run(folder, [Jumps(clock, folder)]).train().state_dict()
    assert all(torch.equal(whole[name], jumping[name]) for name in whole)

    assert re.search(r"^finished in 0:\d\d, after", capfd.readouterr().out, re.MULTILINE)
    (log,) = folder.glob("*/*.log")
    lines = re.findall(r"Epoch\(train\).*eta: (.+?)  time: (\S+)  data_time: (\S+)",
                       log.read_text())  # fmt: skip
    assert len(lines) == 20
    assert all(0 <= seconds_of(eta) < 3600 for eta, _, _ in lines)
    assert all(0 <= float(value) < 60 for _, *both in lines for value in both)
    (scalars,) = folder.glob("*/vis_data/scalars.json")
    steps = [json.loads(line)["step"] for line in scalars.read_text().splitlines()]
    assert steps == list(range(1, 21))


def test_the_newest_checkpoint_is_the_one_that_came_last(tmp_path, clock):
    run(tmp_path, [Jumps(clock, tmp_path)]).train()
    kept = sorted(path.name for path in tmp_path.glob("*.pth"))
    assert kept == ["iter_16.pth", "iter_18.pth", "iter_20.pth"]
    assert all(verify_file(path).is_valid for path in tmp_path.glob("*.pth"))
    (tmp_path / "last_checkpoint").unlink()
    found = find_resumable_checkpoint(str(tmp_path))
    assert found is not None
    assert found.path.endswith("iter_20.pth")


def test_a_run_may_be_resumed_before_it_began(tmp_path, clock, monkeypatch):
    first = run(tmp_path, train_cfg={"max_epochs": 1})
    first.train()
    clock.offset = -YEARS
    monkeypatch.setattr(environment, "_latest_start", 0.0)  # as in another process
    resumed = run(tmp_path, resume=True)
    assert resumed.timestamp < first.timestamp
    resumed.train()
    assert resumed.iter == 20


def test_starts_at_the_same_second_have_their_own_logs(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(time, "time", lambda: 1.5e9)
    runners = [run(tmp_path) for _ in range(3)]
    assert len({runner.log_dir for runner in runners}) == 3
