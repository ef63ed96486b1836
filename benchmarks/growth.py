"""Whether an iteration costs as much late in a run as at its start, in time and in memory.

python benchmarks/growth.py [--iterations 1000000] [--scalars 0 10 20] [--idle-hooks 0 100]

Each number of scalars and of idle hooks is a run of its own; the last table compares them. Times
are those of the processor, so that other programs hardly matter. Memory is read before the end of
the last iteration, that is, before the run saves. A history keeps 8 bytes of each scalar and
iteration, up to a million values: so much growth is expected, and printed beside.
"""

from __future__ import annotations

import argparse
import itertools
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

    priority = "NORMAL"

    def __init__(self, iterations: int) -> None:
        self.every = iterations // PARTS
        self.since = 0.0
        self.rows: list[tuple[int, float, float]] = []

    def before_train(self, runner: Any) -> None:
        """Start the clock."""
        self.since = time.process_time()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Note a tenth."""
        done = runner.iter + 1
        if done % self.every == 0:
            now = time.process_time()
            self.rows.append((done, 1e6 * (now - self.since) / self.every, resident_megabytes()))
            self.since = now


class Idle(Hook):
    """Does nothing."""


def resident_megabytes() -> float:
    """Memory of this process that is in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def measure(iterations: int, scalars: int, idle_hooks: int) -> tuple[list[Any], int]:
    """Train; returns a row for each tenth, and how many histories the run keeps."""
    meter = Meter(iterations)
    with tempfile.TemporaryDirectory() as folder:
        runner = Runner(
            model=Tiny(scalars),
            work_dir=folder,
            train_dataloader=[{"inputs": torch.randn(2, 4)} for _ in range(100)],
            train_cfg={"max_iters": iterations, "val_interval": 10**9},
            optim_wrapper={"optimizer": {"type": "SGD", "lr": 1e-6}},
            custom_hooks=[meter, *(Idle() for _ in range(idle_hooks))],
            log_level="WARNING",
            randomness={"seed": 0},
        )
        runner.train()
        histories = len(runner.message_hub.log_scalars)
    return meter.rows, histories


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=1_000_000)
    parser.add_argument("--scalars", type=int, nargs="+", default=[0])
    parser.add_argument("--idle-hooks", type=int, nargs="+", default=[0])
    options = parser.parse_args()
    if options.iterations < PARTS:
        parser.error(f"--iterations is {options.iterations}: give at least {PARTS}")
    torch.set_num_threads(1)
    summary = []
    for scalars, hooks in itertools.product(options.scalars, options.idle_hooks):
        rows, histories = measure(options.iterations, scalars, hooks)
        print(f"{scalars} scalars, {hooks} idle hooks\niterations  us/iteration  memory MB")
        for done, microseconds, megabytes in rows:
            print(f"{done:10}  {microseconds:12.1f}  {megabytes:9.1f}")
        times = [row[1] for row in rows]
        ratio = statistics.median(times[-3:]) / statistics.median(times[1:4])
        growth = rows[-1][2] - rows[1][2]
        kept = 8e-6 * histories * min(rows[-1][0] - rows[1][0], 1_000_000)
        print(
            f"late / early {ratio:.2f}; memory since the second tenth {growth:+.1f} MB, of which "
            f"{histories} histories {kept:+.1f} MB\n"
        )
        summary.append((scalars, hooks, statistics.median(times), ratio, growth - kept))
    print("scalars  idle hooks  us/iteration  late / early  memory beside histories, MB")
    for scalars, hooks, microseconds, ratio, megabytes in summary:
        print(f"{scalars:7}  {hooks:10}  {microseconds:12.1f}  {ratio:12.2f}  {megabytes:+10.1f}")


if __name__ == "__main__":
    main()
