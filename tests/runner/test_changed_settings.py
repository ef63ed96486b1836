"""A run that goes on with another description: each change acts, or it is said that it does not."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import TensorDataset

from mainspring.checkpoint import load_file
from mainspring.dataset import DataLoader
from mainspring.errors import CheckpointError, ConfigError
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner

DATA = TensorDataset(torch.randn(8, 2), torch.randn(8, 1))


class Rates(Hook):
    def __init__(self):
        self.seen = []

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append(runner.optim_wrapper.param_groups[0]["lr"])


def train(work_dir, epochs, optimizer=None, schedule=None, loader=None, **more):
    rates = Rates()
    runner = Runner(
        model=Supervised(nn.Linear(2, 1), nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=loader or DataLoader(DATA, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1, **(optimizer or {})}},
        param_scheduler=schedule,
        custom_hooks=[rates],
        **more,
    )
    runner.train()
    return rates.seen


def cosine(length):
    return {"type": "CosineAnnealingLR", "T_max": length, "end": 99, "by_epoch": False}


def warnings_in(capsys):
    lines = capsys.readouterr().out.splitlines()
    return [line for line in lines if "changed since the checkpoint" in line and "WARNING" in line]


def test_nothing_is_said_where_nothing_was_changed(tmp_path, capsys):
    schedules = [
        {"type": "MultiStepLR", "milestones": [1, 2]},
        {"type": "CosineAnnealingMomentum", "T_max": 8, "by_epoch": False},
    ]
    described = {"optimizer": {"type": "Adam", "lr": 0.1}, "schedule": schedules}
    for epochs in (1, 2, 3):
        train(tmp_path, epochs, resume=True, **described)
    assert warnings_in(capsys) == []


def test_a_new_value_is_without_effect_and_that_is_said_each_time(tmp_path, capsys):
    train(tmp_path, 1)
    for epochs in (2, 3):
        assert train(tmp_path, epochs, {"lr": 0.001, "momentum": 0.9}, resume=True) == [0.1, 0.1]
        said = warnings_in(capsys)
        assert len(said) == 2
        assert "lr of the optimizer is 0.001 now and was 0.1" in said[0]
        assert "--anew lr" in said[0]
        assert "momentum" in said[1]


def test_a_new_value_that_is_asked_for(tmp_path, capsys):
    train(tmp_path, 1)
    assert train(tmp_path, 2, {"lr": 0.001}, resume=True, anew=["lr"]) == [0.001, 0.001]
    assert train(tmp_path, 3, {"lr": 0.001}, resume=True) == [0.001, 0.001]
    assert warnings_in(capsys) == []
    kept = load_file(str(tmp_path / "epoch_3.pth"))["mainspring"]["anew"]
    assert kept == [{"iter": 2, "names": ["lr"]}]


def test_a_new_value_scales_the_course_of_a_schedule(tmp_path):
    whole = train(tmp_path / "whole", 3, schedule=cosine(6))
    train(tmp_path / "run", 1, schedule=cosine(6))
    rest = train(tmp_path / "run", 3, {"lr": 0.01}, cosine(6), resume=True, anew="lr")
    assert rest == pytest.approx([value / 10 for value in whole[2:]])


@pytest.mark.parametrize("by_epoch", [False, True])
def test_another_schedule_as_if_it_had_been_so_from_the_start(tmp_path, by_epoch, capsys):
    def schedule(length):
        return {**cosine(length), "by_epoch": by_epoch}

    whole = train(tmp_path / "whole", 3, {"lr": 0.2}, schedule(6))
    train(tmp_path / "run", 1, schedule=schedule(2))
    warnings_in(capsys)
    rest = train(tmp_path / "run", 3, {"lr": 0.2}, schedule(6), resume=True, anew=["schedule"])
    assert rest == pytest.approx(whole[2:])
    assert warnings_in(capsys) == []


def test_another_length_of_a_schedule_is_without_effect(tmp_path, capsys):
    train(tmp_path, 1, schedule=cosine(2))
    train(tmp_path, 2, schedule=cosine(6), resume=True)
    said = warnings_in(capsys)
    assert len(said) == 1
    assert "T_max of schedule 1 is 6 now and was 2" in said[0]


def test_kinds_that_know_something_else_are_refused(tmp_path):
    train(tmp_path, 1, schedule=cosine(2))
    with pytest.raises(CheckpointError, match="is of SGD, this run has Adam") as refused:
        train(tmp_path, 2, {"type": "Adam"}, cosine(2), resume=True)
    assert "--anew optimizer" in str(refused.value)
    with pytest.raises(CheckpointError, match=r"StepLR, in the checkpoint CosineAnnealingLR"):
        train(tmp_path, 2, schedule={"type": "StepLR", "step_size": 1}, resume=True)
    rates = train(tmp_path, 2, {"type": "Adam"}, cosine(9), resume=True, anew=["optimizer"])
    whole = train(tmp_path / "whole", 2, {"type": "Adam"}, cosine(9))
    assert rates == pytest.approx(whole[2:])
    with pytest.raises(ConfigError, match="anew names 'lrr'"):
        train(tmp_path, 3, resume=True, anew=["lrr"])
    with pytest.raises(ConfigError, match="anew names 'lrr'"):  # also where nothing is resumed
        train(tmp_path / "new", 3, anew=["lrr"])


@pytest.mark.parametrize(
    ("loader", "changed"),
    [
        (lambda: DataLoader(DATA, batch_size=2, shuffle=True), "batch_size: 4 -> 2"),
        (lambda: DataLoader(DATA, batch_size=4), "shuffle: True -> False"),
        (lambda: DataLoader(DATA, batch_size=4, shuffle=True, drop_last=True), "drop_last"),
        (lambda: TorchDataLoader(DATA, batch_size=4, shuffle=True), "RandomSampler"),
    ],
)
def test_another_loader_is_said(tmp_path, capsys, loader, changed):
    train(tmp_path, 1)
    train(tmp_path, 2, loader=loader(), resume=True)
    said = warnings_in(capsys)
    assert any(changed in line and "takes effect" in line for line in said)


def test_more_workers_are_said_where_items_draw_by_them(tmp_path, capsys):
    for kind, number in ((DataLoader, 0), (TorchDataLoader, 1)):
        work_dir = tmp_path / kind.__module__
        train(work_dir, 1, loader=kind(DATA, batch_size=4))
        train(work_dir, 2, loader=kind(DATA, batch_size=4, num_workers=1), resume=True)
        said = [line for line in warnings_in(capsys) if "num_workers: 0 -> 1" in line]
        assert len(said) == sum("draw others" in line for line in said) == number


def test_the_other_way_round(tmp_path, capsys):
    train(tmp_path, 1, loader=TorchDataLoader(DATA, batch_size=4, shuffle=True))
    train(tmp_path, 2, resume=True)
    said = capsys.readouterr().out
    assert "train_dataloader" in said
    assert "another kind of loader" in said
