"""The time of one validation and of one checkpoint, and how often the run makes one."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from mainspring.device import autocast
from mainspring.profiling.measurement import Occasional
from mainspring.profiling.setup_of_run import epoch_length_of

__all__ = ["time_checkpoint", "time_validation"]

_BATCHES = 20


def time_validation(runner: Any, validate: Callable[[], Any]) -> Occasional:
    """Validate, in full if it is short, else some batches.

    Args:
        runner: The runner.
        validate: Its whole validation.
    """
    train_loop, loop = runner.train_loop, runner.val_loop
    by_epoch = bool(getattr(train_loop, "by_epoch", False))
    interval = int(getattr(train_loop, "val_interval", 1))
    every = _in_iterations(runner, interval, by_epoch)
    batches = _batches_of(loop)
    measured = 1.0
    _warm_up(runner, loop)
    if batches is None or batches <= _BATCHES or not hasattr(loop, "run_iter"):
        start = time.perf_counter()
        validate()
        seconds = time.perf_counter() - start
    else:
        seconds = _some_batches(runner, loop, batches)
        measured = _BATCHES / batches
    runner.model.train()
    return Occasional(seconds, every, measured, "epochs" if by_epoch else "iterations", interval)


def time_checkpoint(runner: Any, hook: Any, synchronize: Callable[[], Any] | None) -> Occasional:
    """Write a checkpoint into the work directory of the trial, as the hook would.

    Args:
        runner: The runner.
        hook: The checkpoint hook.
        synchronize: Waits for what a device still computes; ``None`` on the CPU.
    """
    by_epoch = hook.by_epoch
    if by_epoch is None:
        by_epoch = bool(getattr(runner.train_loop, "by_epoch", False))
    if synchronize is not None:
        synchronize()
    start = time.perf_counter()
    runner.save_checkpoint(
        runner.work_dir,
        "profile.pth",
        save_optimizer=getattr(hook, "save_optimizer", True),
        save_param_scheduler=getattr(hook, "save_param_scheduler", True),
        by_epoch=by_epoch,
    )
    seconds = time.perf_counter() - start
    Path(runner.work_dir, "profile.pth").unlink(missing_ok=True)
    interval = max(0, int(hook.interval))
    return Occasional(
        seconds,
        _in_iterations(runner, interval, by_epoch),
        1.0,
        "epochs" if by_epoch else "iterations",
        interval,
    )


def _warm_up(runner: Any, loop: Any) -> None:
    """Predict a batch, so that what only the first one costs, such as compiling, does not count."""
    batch = next(iter(loop.dataloader), None) if hasattr(loop, "dataloader") else None
    if batch is None or not hasattr(runner.model, "val_step"):
        return
    runner.model.eval()
    with torch.no_grad(), autocast(enabled=getattr(loop, "fp16", False)):
        runner.model.val_step(batch)


def _in_iterations(runner: Any, interval: int, by_epoch: bool) -> int:
    if not by_epoch:
        return interval
    return interval * (epoch_length_of(runner.train_loop.dataloader) or 0)


def _batches_of(loop: Any) -> int | None:
    """Batches of all data sets of a validation; ``None`` if one does not say."""
    sets = getattr(loop, "sets", None) or [loop]
    lengths = [epoch_length_of(item.dataloader) for item in sets]
    return None if None in lengths else sum(length or 0 for length in lengths)


def _some_batches(runner: Any, loop: Any, batches: int) -> float:
    """Seconds of a validation, from its first batches; the first one alone counts once."""
    runner.model.eval()
    moments = [time.perf_counter()]
    for index, batch in enumerate(itertools.islice(loop.dataloader, _BATCHES)):
        loop.run_iter(index, batch)
        moments.append(time.perf_counter())
    first = moments[1] - moments[0]
    further = (moments[-1] - moments[1]) / max(len(moments) - 2, 1)
    return first + further * (batches - 1)
