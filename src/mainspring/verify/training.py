"""Train a config for some iterations and note everything that another training could differ in."""

from __future__ import annotations

import contextlib
import copy
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint import record_latest_checkpoint
from mainspring.checkpoint.apply import unwrap
from mainspring.hooks import CheckpointHook, EMAHook, Hook
from mainspring.optim import OptimWrapperDict
from mainspring.verify.job import Job
from mainspring.verify.observation import Observation, leaves
from mainspring.verify.trial_run import as_trial, build_runner

__all__ = ["FINAL", "Position", "checkpoint_name", "positions", "train"]

FINAL = "end"
"""Folder, in that of the trial, of the observation at its end."""

Position = tuple[int, bool]
"""Finished iterations, and whether they end an epoch."""

_FOLLOWING = 2
"""Iterations, at least, that follow a checkpoint before the training is killed."""


class _EnoughError(Exception):
    """Ends a training from within."""


def checkpoint_name(iteration: int) -> str:
    """File name of the checkpoint that a trial writes.

    Args:
        iteration: Finished iterations.
    """
    return f"verify_{iteration}.pth"


def positions(iterations: int, epoch_length: int | None) -> list[Position]:
    """Where to continue: one place in the middle of an epoch, and the end of one if there is one.

    Args:
        iterations: Iterations of the whole trial.
        epoch_length: Iterations of an epoch; ``None`` for a stream without length.
    """
    last = iterations - _FOLLOWING
    if last < 1:
        return [(1, epoch_length == 1)] if iterations > 1 else []
    length = epoch_length or iterations + 1
    ends = [number for number in range(1, last + 1) if number % length == 0]
    within = [number for number in range(1, last + 1) if number % length]
    chosen = {ends[len(ends) // 2]: True} if ends else {within[-1]: False}
    if within:
        chosen[within[len(within) // 2]] = False
    return sorted(chosen.items())


def train(cfg: Any, job: Job) -> tuple[Any, Any]:
    """Train until enough iterations are done or the run ends, and write what was seen.

    Args:
        cfg: The user's config.
        job: The trial; with ``kill`` this does not return.

    Returns:
        The runner, and the first batch.
    """
    runner = build_runner(as_trial(cfg, job))
    last = _Last(job)
    runner.hooks.insert(0, _First(last))
    runner.hooks.append(last)
    with contextlib.suppress(_EnoughError):
        runner.train()
    return runner, last.first_batch


class _First(Hook):
    """Stands before all other hooks, and sees the batches as they came."""

    priority = "HIGHEST"

    def __init__(self, last: _Last) -> None:
        self._last = last

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        self._last.batch_came(runner.iter + 1, data_batch)


class _Last(Hook):
    """Stands behind all other hooks, notes what they left, and ends the training."""

    priority = "LOWEST"

    def __init__(self, job: Job) -> None:
        self._job = job
        self._seen = Observation()
        self._positions: dict[int, bool] = {}
        self._last = job.iterations
        self._is_written = False
        self.first_batch: Any = None

    def before_train(self, runner: Any) -> None:
        self._last = min(self._job.iterations, runner.max_iters or self._job.iterations)
        length = _length_of(runner.train_loop)
        places = positions(self._last, length)
        self._positions = dict(places)
        self._seen.facts = {
            "epoch_length": length,
            "positions": places,
            "started_at": runner.iter,
            "device": _device_of(runner),
        }

    def batch_came(self, iteration: int, batch: Any) -> None:
        self._seen.add(iteration, "batch", batch)
        if self._job.save_and_load and self.first_batch is None:
            self.first_batch = copy.deepcopy(batch)

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = runner.iter + 1
        for name, value in (outputs or {}).items():
            self._seen.add(done, str(name), value)
        ends_epoch = self._positions.get(done)
        if ends_epoch is not None and not (ends_epoch and _counts_epochs(runner)):
            _save(runner, done)
        if done >= self._last:
            self._write(runner, done)
            raise _EnoughError

    def after_train_epoch(self, runner: Any) -> None:
        done = runner.train_loop.completed_iters
        if _counts_epochs(runner) and self._positions.get(done):
            _save(runner, done)

    def after_val_epoch(self, runner: Any, metrics: Any = None) -> None:
        for name, value in (metrics or {}).items():
            self._seen.add(runner.iter, f"validation {name}", value)

    def after_train(self, runner: Any) -> None:
        if not self._is_written:
            self._write(runner, runner.iter)

    def _write(self, runner: Any, done: int) -> None:
        self._is_written = True
        self._seen.facts["iterations"] = done
        self._seen.tensors = dict(_state_of(runner))
        for number, scheduler in enumerate(_schedulers_of(runner)):
            for path, value in leaves(scheduler.state_dict()):
                self._seen.add(0, f"param_scheduler {number} {path}", value)
        self._seen.write(Path(self._job.folder) / FINAL)
        if self._job.kill:
            os.kill(os.getpid(), signal.SIGKILL)


def _counts_epochs(runner: Any) -> bool:
    return bool(getattr(runner.train_loop, "by_epoch", False)) and hasattr(
        runner.train_loop, "completed_iters"
    )


def _length_of(loop: Any) -> int | None:
    try:
        return len(loop.dataloader)
    except TypeError:
        return None


def _device_of(runner: Any) -> str:
    parameter = next(unwrap(runner.model).parameters(), None)
    return "cpu" if parameter is None else str(parameter.device.type)


def _save(runner: Any, done: int) -> None:
    """Write a checkpoint that holds what the checkpoints of this config hold."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    runner.save_checkpoint(
        runner.work_dir,
        checkpoint_name(done),
        save_optimizer=hook is None or hook.save_optimizer,
        save_param_scheduler=hook is None or hook.save_param_scheduler,
    )
    record_latest_checkpoint(checkpoint_name(done), runner.work_dir)


def _state_of(runner: Any) -> Iterator[tuple[str, Tensor]]:
    model = unwrap(runner.model)
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    for name, value in [*model.named_parameters(), *model.named_buffers()]:
        if isinstance(value, Tensor):
            yield f"{'weight' if id(value) in names else 'buffer'} {name}", value
    for hook in runner.hooks:
        if isinstance(hook, EMAHook):
            for name, value in hook.ema_model.state_dict().items():
                yield f"average {name.removeprefix('module.')}", value
    for prefix, wrapper in _wrappers_of(runner.optim_wrapper):
        yield from _optimizer_state(prefix, wrapper, names)


def _wrappers_of(wrapper: Any) -> list[tuple[str, Any]]:
    if isinstance(wrapper, OptimWrapperDict):
        return [(f"{name} ", item) for name, item in wrapper.items()]
    return [("", wrapper)]


def _optimizer_state(
    prefix: str, wrapper: Any, names: Mapping[int, str]
) -> Iterator[tuple[str, Tensor]]:
    optimizer = getattr(wrapper, "optimizer", None)
    if isinstance(optimizer, torch.optim.Optimizer):
        for parameter, state in optimizer.state.items():
            owner = names.get(id(parameter), "?")
            for path, value in leaves(state):
                tensor = value if isinstance(value, Tensor) else None
                if isinstance(value, int | float):
                    tensor = torch.tensor(value, dtype=torch.float64)
                if tensor is not None:
                    yield f"{prefix}optimizer {owner} {path}", tensor
    if hasattr(wrapper, "accumulation_state_dict"):
        for path, value in leaves(wrapper.accumulation_state_dict()):
            if isinstance(value, Tensor):
                yield f"{prefix}accumulated gradient {path}", value


def _schedulers_of(runner: Any) -> list[Any]:
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, Mapping):
        return [item for items in schedulers.values() for item in items]
    return list(schedulers)
