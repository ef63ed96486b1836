"""A run that is extended goes on as if it had been that long from the start."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.dataset import DataLoader
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner

ROWS = TensorDataset(torch.randn(16, 4), torch.arange(16) % 2)


class Rates(Hook):
    """Keeps the learning rate of every iteration."""

    def __init__(self) -> None:
        self.seen: list[float] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        self.seen.append(runner.optim_wrapper.param_groups[0]["lr"])


class Flat(BaseMetric):
    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict[str, float]:
        return {"loss": 1.0}


def make(work_dir, epochs, schedule, rates, **changes) -> Runner:
    described = {
        "model": Supervised(nn.Linear(4, 2), nn.CrossEntropyLoss()),
        "work_dir": str(work_dir),
        "train_cfg": {"max_epochs": epochs},
        "train_dataloader": DataLoader(ROWS, batch_size=4),
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.1, "momentum": 0.9}},
        "param_scheduler": schedule,
        "custom_hooks": [rates],
        "log_level": "ERROR",
    }
    return Runner(**{**described, **changes})


SCHEDULES = {
    "cosine over the run": [{"type": "CosineAnnealingLR"}],
    "cosine of a length of its own": [
        {"type": "CosineAnnealingLR", "T_max": 16, "by_epoch": False}
    ],
    "linear over the run, by iteration": [
        {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False}
    ],
    "polynomial, converted": [{"type": "PolyLR", "power": 0.9, "convert_to_iter_based": True}],
    "warm-up, then cosine to the end": [
        {"type": "LinearLR", "start_factor": 0.1, "by_epoch": False, "end": 5},
        {"type": "CosineAnnealingLR", "by_epoch": True, "begin": 1, "eta_min": 1e-3},
    ],
    "one cycle": [{"type": "OneCycleLR", "eta_max": 0.3, "by_epoch": False}],
    "steps": [{"type": "MultiStepLR", "milestones": [1, 3]}],
}


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_rates_of_a_resumed_longer_run_are_those_of_the_long_run(tmp_path, schedule) -> None:
    whole, first, second = Rates(), Rates(), Rates()
    make(tmp_path / "whole", 4, schedule, whole).train()
    make(tmp_path / "staged", 2, schedule, first).train()
    make(tmp_path / "staged", 4, schedule, second, resume=True).train()

    assert len(first.seen) == len(second.seen) == 8
    assert second.seen == pytest.approx(whole.seen[8:], rel=1e-12)


def test_a_run_extended_in_the_same_process_follows_too(tmp_path) -> None:
    schedule = [{"type": "CosineAnnealingLR", "by_epoch": False}]
    whole, staged = Rates(), Rates()
    make(tmp_path / "whole", 4, schedule, whole).train()
    runner = make(tmp_path / "staged", 2, schedule, staged)
    runner.train()
    runner.train_loop._max_epochs = 4
    runner.train()

    assert runner.iter == runner.max_iters == 16
    assert staged.seen[8:] == pytest.approx(whole.seen[8:], rel=1e-12)


def test_what_a_hook_changed_stays_as_a_factor(tmp_path) -> None:
    class Halve(Hook):
        def before_train_epoch(self, runner) -> None:
            if runner.epoch == 1:
                for group in runner.optim_wrapper.param_groups:
                    group["lr"] /= 2

    schedule = [{"type": "LinearLR", "start_factor": 0.1, "by_epoch": False}]
    whole, second = Rates(), Rates()
    make(tmp_path / "whole", 4, schedule, whole).train()
    make(tmp_path / "staged", 2, schedule, Rates(), custom_hooks=[Halve()]).train()
    make(tmp_path / "staged", 4, schedule, second, resume=True).train()

    assert second.seen == pytest.approx([rate / 2 for rate in whole.seen[8:]], rel=1e-9)


def test_a_plateau_acts_in_an_extended_run(tmp_path) -> None:
    validation = {
        "val_dataloader": DataLoader(ROWS, batch_size=8),
        "val_cfg": {},
        "val_evaluator": Flat(),
    }
    schedule = [{"type": "ReduceOnPlateauLR", "monitor": "loss", "patience": 1}]
    whole, first, second = Rates(), Rates(), Rates()
    make(tmp_path / "whole", 6, schedule, whole, **validation).train()
    make(tmp_path / "staged", 2, schedule, first, **validation).train()
    make(tmp_path / "staged", 6, schedule, second, **validation, resume=True).train()

    assert first.seen + second.seen == whole.seen
    assert whole.seen[-1] == pytest.approx(1e-3)
