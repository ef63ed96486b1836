"""How long a run takes to go on late in an epoch: python benchmarks/fault/resume_position.py.

A training on 100 000 samples that take 1 ms each is stopped at 90 % of its first epoch. Printed is
the time from the call of `Runner.train` to the end of the first new step, with the time of a run
that starts at 0 beside it, and how many samples are loaded until then: one batch is needed.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.sharedctypes import Synchronized
from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner

BATCH = 10
SECONDS_OF_ITEM = 0.001


class Slow(Dataset[Any]):
    """Items that take their time, once `is_slow`; counts how many are loaded, in workers too."""

    def __init__(self, size: int, is_slow: bool) -> None:
        self.size, self.is_slow = size, is_slow
        self.loaded: Synchronized[int] = multiprocessing.Value("q", 0)

    def __len__(self) -> int:
        return self.size

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        if self.is_slow:
            with self.loaded.get_lock():
                self.loaded.value += 1
            time.sleep(SECONDS_OF_ITEM)
        return torch.rand(2), torch.zeros(1)


class Stop(Hook):
    """Ends the process's training: at an iteration after saving, or at the first new one."""

    priority = "LOWEST"

    def __init__(self, save_at: int | None) -> None:
        self.save_at = save_at

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Stop here, as an interruption would."""
        if self.save_at is None:
            raise StoppedError
        if runner.iter + 1 == self.save_at:
            runner.save_checkpoint(runner.work_dir, f"iter_{self.save_at}.pth")
            raise StoppedError


class StoppedError(Exception):
    """The training has come as far as is needed."""


def train(loader: Any, work_dir: str, *, save_at: int | None, resume: bool) -> float:
    """Train to where it stops; returns the seconds."""
    runner = Runner(
        model=Supervised(nn.Linear(2, 1), nn.MSELoss()),
        work_dir=work_dir,
        train_dataloader=loader,
        train_cfg={"max_epochs": 1},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        default_hooks={
            "checkpoint": {"type": "CheckpointHook", "interval": -1, "save_last": False},
            "logger": {"type": "LoggerHook", "interval": 10**6},
        },
        custom_hooks=[Stop(save_at)],
        randomness={"seed": 0},
        resume=resume,
        log_level="ERROR",
    )
    begin = time.perf_counter()
    with contextlib.suppress(StoppedError):
        runner.train()
    return time.perf_counter() - begin


def main() -> int:
    """Measure and print; 1 if a resume takes a second or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100_000)
    options = parser.parse_args()
    torch.set_num_threads(1)
    makes: dict[str, Callable[..., Any]] = {
        "mainspring's DataLoader": DataLoader,
        "torch's DataLoader": TorchDataLoader,
    }
    at = int(0.9 * options.samples) // BATCH
    slow = False
    with tempfile.TemporaryDirectory() as folder:  # the first training of a process imports
        train(DataLoader(Slow(BATCH, False)), folder, save_at=None, resume=False)
    print(f"{options.samples} samples of 1 ms, stopped after {at * BATCH}, batches of {BATCH}")
    print(f"{'':26}workers   fresh start   resumed    samples loaded before the first step")
    for name, make in makes.items():
        for workers in (0, 2):
            with tempfile.TemporaryDirectory() as folder:
                quick, real = Slow(options.samples, False), Slow(options.samples, True)
                loaders = [
                    make(data, batch_size=BATCH, shuffle=True, num_workers=workers)
                    for data in (quick, real, real)
                ]
                fresh = train(loaders[1], f"{folder}/fresh", save_at=None, resume=False)
                train(loaders[0], folder, save_at=at, resume=False)
                real.loaded.value = 0
                resumed = train(loaders[2], folder, save_at=None, resume=True)
                print(f"{name:26}{workers:7}{fresh:12.3f} s{resumed:8.3f} s {real.loaded.value:10}")
                slow |= resumed >= 1
    print("(to reach: below 1 s)")
    return 1 if slow else 0


if __name__ == "__main__":
    sys.exit(main())
