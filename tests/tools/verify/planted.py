"""Trainings that are sound, and trainings with one planted fault each."""

from __future__ import annotations

import itertools
import time
from pathlib import Path

import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, get_worker_info

from mainspring.dist import get_rank
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.registry import DATASETS, HOOKS, MODELS
from mainspring.structures import NormalizedLoss

loaded = itertools.count()


def hang(depth=30):
    """Hang below so many calls that the end of a printed stack does not show its beginning."""
    if depth:
        hang(depth - 1)
    time.sleep(3600)


@DATASETS.register_module()
class Points(Dataset):
    """Points with a random shift; `fault` lets the shift depend on something else as well."""

    def __init__(self, length=40, fault=None):
        self.length = length
        self.fault = fault

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        shift = 0.0
        if self.fault == "counter":
            shift = next(loaded) / 100
        elif self.fault == "time":
            shift = time.perf_counter_ns() % 10**6 / 10**6
        elif self.fault == "hash":
            shift = hash("another order in each interpreter") % 1000 / 1000
        elif self.fault == "worker":
            info = get_worker_info()
            shift = 0.0 if info is None else info.id + 1.0
        elif self.fault == "raises" and index == 3:
            raise OSError("cannot read point 3")
        inputs = torch.linspace(0.1, 0.4, 4) * index / self.length + torch.randn(4) / 10 + shift
        return inputs, torch.tensor(float(index % 2))


@DATASETS.register_module()
class Stream(IterableDataset):
    """A stream that each worker gives whole."""

    def __iter__(self):
        for index in range(60):
            yield torch.full((4,), index / 60), torch.tensor(float(index % 2))


@MODELS.register_module()
class Net(BaseModel):
    """A small network; `fault` gives it a property that a check finds."""

    def __init__(self, fault=None, width=8):
        super().__init__()
        self.fault = fault
        self.seen = 0
        if fault is not None and fault.startswith("once:"):
            mark = Path(fault.partition(":")[2])
            if mark.exists():
                raise RuntimeError("there is a mark already")
            mark.touch()
        norm = nn.BatchNorm1d(width) if fault == "batchnorm" else nn.Identity()
        self.net = nn.Sequential(
            nn.Linear(4, width), norm, nn.Tanh(), nn.Dropout(0.2), nn.Linear(width, 1)
        )

    def forward(self, inputs, targets, mode="tensor"):
        inputs, targets = torch.stack(list(inputs)), torch.stack(list(targets))
        outputs = self.net(inputs).squeeze(1)
        hangs = self.fault == "hangs" and self.seen == 1
        if hangs or (self.fault == "rank 1 hangs" and get_rank() == 1):
            hang()
        if self.fault == "attribute":
            outputs = outputs * (1 + self.seen / 10)
        if mode != "loss":
            return [{"prediction": row} for row in outputs]
        self.seen += self.training
        if self.fault == "noise":
            outputs = outputs + torch.randn(len(outputs)).sum()
        errors = (outputs - targets).square()
        if self.fault == "sum":
            return {"loss": errors.sum()}
        weights = 1 + 2 * targets
        if self.fault == "weights":
            return {"loss": (errors * weights).sum() / weights.sum()}
        if self.fault == "counts":
            return {"loss": NormalizedLoss((errors * weights).sum() / weights.sum(), weights.sum())}
        return {"loss": errors.mean()}


@MODELS.register_module()
class Growing(Net):
    """Has a module that is made in training only."""

    def forward(self, inputs, targets, mode="tensor"):
        if self.training and not hasattr(self, "late"):
            self.late = nn.Linear(1, 1)
        return super().forward(inputs, targets, mode)


@HOOKS.register_module()
class Early(Hook):
    """Ends the training at the end of the first epoch."""

    def after_train_epoch(self, runner):
        runner.train_loop.stop_training = True
