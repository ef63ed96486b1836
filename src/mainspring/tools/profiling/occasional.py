"""The time of one validation and of one checkpoint, and how often the run makes one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch

from mainspring.dataset.any_loader import length_of
from mainspring.device import autocast
from mainspring.hooks.run import Run
from mainspring.tools.profiling.measurement import Occasional
from mainspring.tools.trial import save_as

__all__ = ["time_checkpoint", "time_validation"]

_BATCHES = 20


def time_validation(runner: Run, validate: Callable[[], Any]) -> Occasional:
    """Validate, in full if it is short, else some batches.

    Args:
        runner: The runner.
        validate: Its whole validation.
    """
    loop, model = runner.val_loop, cast("Any", runner.model)
    lengths = [length_of(item.dataloader) for item in getattr(loop, "sets", None) or [loop]]
    batches = None if None in lengths else sum(length or 0 for length in lengths)
    # What only the first batch costs, such as compiling, does not count.
    first = next(iter(loop.dataloader), None) if hasattr(loop, "dataloader") else None
    if first is not None and hasattr(model, "val_step"):
        model.eval()
        with torch.no_grad(), autocast(enabled=getattr(loop, "fp16", False)):
            model.val_step(first)
    measured = 1.0
    moments = [time.perf_counter()]
    if batches is None or batches <= _BATCHES or not hasattr(loop, "run_iter"):
        validate()
        seconds = time.perf_counter() - moments[0]
    else:
        # From the first batches; the first one alone counts once.
        model.eval()
        for index, batch in enumerate(itertools.islice(loop.dataloader, _BATCHES)):
            loop.run_iter(index, batch)
            moments.append(time.perf_counter())
        further = (moments[-1] - moments[1]) / max(len(moments) - 2, 1)
        seconds = moments[1] - moments[0] + further * (batches - 1)
        measured = _BATCHES / batches
    model.train()
    interval = int(getattr(runner.train_loop, "val_interval", 1))
    return _occasional(runner, seconds, interval, _by_epoch(runner), measured)


def time_checkpoint(runner: Run, hook: Any, synchronize: Callable[[], Any] | None) -> Occasional:
    """Write a checkpoint into the work directory of the trial, as the hook would.

    Args:
        runner: The runner.
        hook: The checkpoint hook.
        synchronize: Waits for what a device still computes; ``None`` on the CPU.
    """
    if synchronize is not None:
        synchronize()
    start = time.perf_counter()
    by_epoch = _by_epoch(runner, hook.by_epoch)
    save_as(hook, runner, "profile.pth", by_epoch=by_epoch)
    seconds = time.perf_counter() - start
    Path(runner.work_dir, "profile.pth").unlink(missing_ok=True)
    return _occasional(runner, seconds, max(0, int(hook.interval)), by_epoch)


def _by_epoch(runner: Run, told: bool | None = None) -> bool:
    return bool(getattr(runner.train_loop, "by_epoch", False)) if told is None else told


def _occasional(
    runner: Run, seconds: float, interval: int, by_epoch: bool, measured: float = 1.0
) -> Occasional:
    length = length_of(runner.train_loop.dataloader) or 0
    every, unit = (interval * length, "epochs") if by_epoch else (interval, "iterations")
    return Occasional(seconds, every, measured, unit, interval)
