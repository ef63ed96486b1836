"""Whether an iteration costs as much late in a run as at its start, in time and in memory.

python benchmarks/growth.py [--iterations 1000000] [--scalars 0] [--idle-hooks 0]
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from typing import Any

import torch
from torch import Tensor, nn

from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner

PARTS = 10


class Tiny(BaseModel):
    """As little work as a training step can be."""

    def __init__(self, scalars: int) -> None:
        super().__init__()
        self.net = nn.Linear(4, 1)
        self.scalars = scalars

    def forward(self, inputs: Tensor, mode: str = "tensor") -> Any:
        """The losses."""
        loss = self.net(inputs).square().mean()
        return {"loss": loss, **{f"scalar_{n}": loss.detach() for n in range(self.scalars)}}


class Meter(Hook):
    """Notes time and memory at each tenth of the run."""

    priority = "LOWEST"

    def __init__(self, iterations: int) -> None:
        self.every = iterations // PARTS
        self.since = 0.0
        self.rows: list[tuple[int, float, float]] = []

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        self.since = time.perf_counter()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note a tenth."""
        done = runner.iter + 1
        if done % self.every == 0:
            now = time.perf_counter()
            self.rows.append((done, 1e6 * (now - self.since) / self.every, resident_megabytes()))
            self.since = now


class Idle(Hook):
    """Does nothing."""


def resident_megabytes() -> float:
    """Memory of this process that is in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=1_000_000)
    parser.add_argument("--scalars", type=int, default=0)
    parser.add_argument("--idle-hooks", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    meter = Meter(options.iterations)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model=Tiny(options.scalars),
            work_dir=folder,
            train_dataloader=[{"inputs": torch.randn(2, 4)} for _ in range(100)],
            train_cfg={"max_iters": options.iterations, "val_interval": 10**9},
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 1e-6}},
            custom_hooks=[meter, *(Idle() for _ in range(options.idle_hooks))],
            log_level="WARNING",
            randomness={"seed": 0},
        )
        runner.train()
    print("iterations  us/iteration  memory MB")
    for done, microseconds, megabytes in meter.rows:
        print(f"{done:10}  {microseconds:12.1f}  {megabytes:9.1f}")
    times = [row[1] for row in meter.rows]
    early, late = statistics.median(times[1:4]), statistics.median(times[-3:])
    growth = meter.rows[-1][2] - meter.rows[1][2]
    print(f"late / early {late / early:.2f}; memory since the second tenth {growth:+.1f} MB")


if __name__ == "__main__":
    main()
