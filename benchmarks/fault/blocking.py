"""How long writing a large checkpoint stops training: python benchmarks/fault/blocking.py.

A model with Adam makes checkpoints of 600 MB. The same training is run, each time in a process of
its own, without checkpoints, with a plain `torch.save`, and with `CheckpointHook`, synchronous and
asynchronous. Blocked is the time that the hook keeps the loop; the other iterations show what
writing in the background costs them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint import weights_to_cpu
from mainspring.dataset import DataLoader
from mainspring.hooks import CheckpointHook, Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner

WAYS = ("none", "torch.save", "synchronous", "asynchronous")
SAVES = 3


class Large(BaseModel):
    """Parameters of so many megabytes, all of which get gradients."""

    def __init__(self, megabytes: int) -> None:
        super().__init__()
        parts = (torch.full((1 << 18, 4), 0.5) for _ in range(megabytes // 4))
        self.parts = nn.ParameterList(parts)

    def forward(self, inputs: Any, data_samples: Any = None, mode: str = "loss") -> Any:
        """A loss that every parameter takes part in."""
        return {"loss": torch.stack([(part * inputs[0, 0]).mean() for part in self.parts]).sum()}

    def _run_forward(self, data: Any, mode: str) -> Any:
        return self(data, mode=mode)


class PlainSave(Hook):
    """What users write who do without an engine."""

    priority = "VERY_LOW"

    def __init__(self, interval: int, path: str, in_hook: list[float]) -> None:
        self.interval, self.path, self.in_hook = interval, path, in_hook

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Save weights and optimizer."""
        if self.every_n_train_iters(runner, self.interval):
            begin = time.perf_counter()
            state = {
                "state_dict": weights_to_cpu(runner.model.state_dict()),
                "optimizer": runner.optim_wrapper.state_dict(),
            }
            torch.save(state, self.path)
            self.in_hook.append(time.perf_counter() - begin)


class Clock(Hook):
    """When each iteration ends."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.ends: list[float] = []

    def before_train(self, runner: Any) -> None:
        """Begin."""
        self.ends.append(time.perf_counter())

    def after_train_iter(self, runner: Any, *_: Any, **__: Any) -> None:
        """Note the end of the iteration, behind all hooks."""
        self.ends.append(time.perf_counter())


def train(way: str, megabytes: int, interval: int) -> dict[str, Any]:
    """Train once in this process."""
    torch.set_num_threads(1)
    in_hook: list[float] = []

    class Timed(CheckpointHook):
        def after_train_iter(self, runner: Any, *args: Any, **kwargs: Any) -> None:
            begin = time.perf_counter()
            super().after_train_iter(runner, *args, **kwargs)
            if self.every_n_train_iters(runner, interval):
                in_hook.append(time.perf_counter() - begin)

    with tempfile.TemporaryDirectory(dir=os.environ.get("WORK_DIR")) as folder:
        saving = {"type": Timed, "interval": interval, "by_epoch": False, "max_keep_ckpts": 1}
        saving |= {"save_last": False}
        if way in ("none", "torch.save"):
            saving["interval"] = -1
        clock = Clock()
        runner = Runner(
            model=Large(megabytes // 3),
            work_dir=folder,
            train_dataloader=DataLoader([torch.ones(1)] * 8, batch_size=1),
            train_cfg={"by_epoch": False, "max_iters": interval * (SAVES + 1) - 1},
            optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.01}},
            default_hooks={
                "checkpoint": {**saving, "async_save": way == "asynchronous"},
                "logger": {"type": "LoggerHook", "interval": 1000},
            },
            custom_hooks=[
                clock,
                *(
                    [PlainSave(interval, f"{folder}/plain.pth", in_hook)]
                    if way == "torch.save"
                    else []
                ),
            ],
            log_level="ERROR",
            randomness={"seed": 0},
        )
        runner.train()
        size = max((path.stat().st_size for path in Path(folder).glob("*.pth")), default=0)
    took = [after - before for before, after in zip(clock.ends, clock.ends[1:], strict=False)]
    return {
        "iterations": took,
        "in_hook": in_hook,
        "size": size,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def main() -> None:
    """Run the ways one after the other, and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--way", choices=WAYS, help="run only this one, and print its figures")
    parser.add_argument("--megabytes", type=int, default=600)
    parser.add_argument("--interval", type=int, default=20, help="iterations between two saves")
    options = parser.parse_args()
    if options.way is not None:
        print(json.dumps(train(options.way, options.megabytes, options.interval)))
        return
    found = {way: run(way, options.megabytes, options.interval) for way in WAYS}
    print(f"checkpoint {found['synchronous']['size'] / 2**20:.0f} MB, {SAVES} saves")
    print(f"{'':14}blocked (median)   longest   other iterations   extra memory")
    blocked = {}
    for way in WAYS:
        times, in_hook = found[way]["iterations"], found[way]["in_hook"]
        if in_hook:
            blocked[way] = statistics.median(in_hook)
        others = [time for number, time in enumerate(times, 1) if number % options.interval]
        extra = found[way]["peak"] - found["none"]["peak"]
        print(
            f"{way:14}{blocked.get(way, 0):14.3f} s{max(in_hook, default=0):10.3f} s"
            f"{statistics.mean(others[options.interval :]):16.3f} s{extra:12.0f} MB"
        )
    ratio = blocked["asynchronous"] / blocked["synchronous"]
    plain = blocked["asynchronous"] / blocked["torch.save"]
    print(f"asynchronous / synchronous  {ratio:.3f}   (to reach: 0.1)")
    print(f"asynchronous / torch.save   {plain:.3f}")


def run(way: str, megabytes: int, interval: int) -> dict[str, Any]:
    """Train in a process of its own, so that its peak memory is its own."""
    arguments = ["--way", way, "--megabytes", str(megabytes), "--interval", str(interval)]
    done = subprocess.run(
        [sys.executable, __file__, *arguments], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
