"""A small real training: a CNN on scikit-learn's digits with validation, logs and checkpoints."""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterator
from typing import Any

import torch
from engines.job import Job
from torch import nn
from torch.utils.data import DataLoader, Sampler, TensorDataset

from workloads.parts import loss_on
from workloads.setting import Setting

TITLE = "CNN on digits, 5 epochs with validation, logs, checkpoints"
MODES = ("defaults",)
FIGURES = {"s": ("", "ratio"), "later_s": ("from the second epoch on", "ratio")}
HELD_OUT = 360
TOLERANCE = 0.5


class EpochOrder(Sampler[int]):
    """A shuffled order that is another one in each pass, and the same for every engine."""

    def __init__(self, length: int) -> None:
        self.length = length
        self.began: list[float] = []

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(len(self.began))
        self.began.append(time.perf_counter())
        return iter(torch.randperm(self.length, generator=generator).tolist())


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Seconds of the whole training without imports, and without the first epoch.

    What is compiled is compiled in the first epoch.
    """
    train, held_out = _data()
    order = EpochOrder(len(train))
    loader = {"dataset": train, "batch_size": 32, "sampler": order}
    validation = DataLoader(held_out, batch_size=120)
    job = Job(
        net=_cnn(),
        loss=nn.functional.cross_entropy,
        train=DataLoader(**loader),
        loader=loader,
        work_dir=setting.work_dir,
        epochs=2 if setting.quick else 5,
        validation=validation,
        save_epochs=True,
        variant=setting.variant,
    )
    importlib.import_module("torch._dynamo")  # any optimizer imports it, which takes a second
    start = time.perf_counter()
    engine.fit(job)
    end = time.perf_counter()
    return {
        "s": end - start,
        "later_s": end - order.began[1],
        "loss": loss_on(job.net, held_out[:]),
    }


def _data() -> tuple[TensorDataset, TensorDataset]:
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    inputs = torch.tensor(images / 16.0, dtype=torch.float32).view(-1, 1, 8, 8)
    targets = torch.tensor(labels)
    order = torch.randperm(len(targets), generator=torch.Generator().manual_seed(0))
    inputs, targets = inputs[order], targets[order]
    held_out = TensorDataset(inputs[:HELD_OUT], targets[:HELD_OUT])
    return TensorDataset(inputs[HELD_OUT:], targets[HELD_OUT:]), held_out


def _cnn() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64 * 16, 10),
    )
