"""Train a config for some iterations and note everything that another training could differ in."""

from __future__ import annotations

import copy
import itertools
import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint import record_latest_checkpoint
from mainspring.comparison import is_number
from mainspring.dataset.any_loader import length_of
from mainspring.hooks import CheckpointHook
from mainspring.hooks.run import Run
from mainspring.hooks.run_state import named_state, wrappers_of
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.structures.nested_digest import named_leaves
from mainspring.tools.profiling.setup_of_run import device_of
from mainspring.tools.trial import EnoughError, Watch, save_as, train_watched
from mainspring.tools.verify.job import Job
from mainspring.tools.verify.observation import Observation
from mainspring.tools.verify.partial_trials import save_and_load
from mainspring.tools.verify.trial_run import run_of

__all__ = ["FINAL", "Position", "checkpoint_name", "positions", "train"]

FINAL = "end"
"""Folder, in that of the trial, of the observation at its end."""

Position = tuple[int, bool]
"""Finished iterations, and whether they end an epoch."""

_FOLLOWING = 2
"""Iterations, at least, that follow a checkpoint before the training is killed."""


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


def train(read: Callable[[], Any], job: Job) -> None:
    """Train until enough iterations are done or the run ends, and write what was seen.

    Args:
        read: Reads the user's config.
        job: The trial; with ``kill`` this does not return.
    """
    runner = run_of(read(), job)
    watch = _Training(job)
    train_watched(runner, watch)
    if job.save_and_load:
        try:
            save_and_load(runner, watch.first_batch, read, job)
        except Exception as error:  # noqa: BLE001 - no failure of the trial: shown by its check
            traceback.print_exc()
            seen = Observation(facts={"problem": f"{type(error).__name__}: {error}"})
            seen.write(Path(job.folder) / "loaded")


class _Training(Watch):
    """Notes the batches as they came and what the hooks left, saves, and ends the training."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._seen = Observation()
        self._positions: dict[int, bool] = {}
        self._last = job.iterations
        self._is_written = False
        self.first_batch: Any = None

    def before_train(self, runner: Run) -> None:
        self._last = min(self._job.iterations, runner.max_iters or self._job.iterations)
        length = length_of(runner.train_loop.dataloader)
        places = positions(self._last, length)
        self._positions = dict(places)
        self._seen.facts = {
            "epoch_length": length,
            "positions": places,
            "started_at": runner.iter,
            "device": device_of(runner),
        }

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        self._seen.add(runner.iter + 1, "batch", data_batch)
        if self._job.save_and_load and self.first_batch is None:
            self.first_batch = copy.deepcopy(data_batch)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        done = runner.iter + 1
        for name, value in (outputs or {}).items():
            self._seen.add(done, str(name), value)
        ends_epoch = self._positions.get(done)
        if ends_epoch is not None and not (ends_epoch and _counts_epochs(runner)):
            _save(runner, done)
        if done >= self._last:
            self._write(runner, done)
            raise EnoughError

    def after_train_epoch(self, runner: Run) -> None:
        if _counts_epochs(runner) and self._positions.get(runner.train_loop.completed_iters):
            _save(runner, runner.train_loop.completed_iters)

    def after_val_epoch(self, runner: Run, metrics: Any = None) -> None:
        for name, value in (metrics or {}).items():
            self._seen.add(runner.iter, f"validation {name}", value)

    def after_train(self, runner: Run) -> None:
        if not self._is_written:
            self._write(runner, runner.iter)

    def _write(self, runner: Run, done: int) -> None:
        self._is_written = True
        self._seen.facts["iterations"] = done
        for kind, name, value in named_state(runner):
            self._keep(kind, name, value)
        for prefix, wrapper in wrappers_of(runner.optim_wrapper):
            if hasattr(wrapper, "accumulation_state_dict"):
                self._keep("accumulated gradient", prefix, wrapper.accumulation_state_dict())
        schedulers = by_optimizer(runner.param_schedulers or []).values()
        for number, scheduler in enumerate(itertools.chain(*schedulers)):
            self._seen.add(0, f"param_scheduler {number}", scheduler.state_dict())
        self._seen.write(Path(self._job.folder) / FINAL)
        if self._job.kill:
            os.kill(os.getpid(), signal.SIGKILL)

    def _keep(self, kind: str, name: str, value: Any) -> None:
        """Note tensors and numbers of the state at the end."""
        for path, leaf in named_leaves(value, name, dotted=True):
            if is_number(leaf):
                leaf = torch.tensor(leaf, dtype=torch.float64)
            if isinstance(leaf, Tensor):
                self._seen.tensors[f"{kind} {path}"] = leaf


def _counts_epochs(runner: Run) -> bool:
    loop = runner.train_loop
    return bool(getattr(loop, "by_epoch", False)) and hasattr(loop, "completed_iters")


def _save(runner: Run, done: int) -> None:
    """Write a checkpoint that holds what the checkpoints of this config hold."""
    hook = next((hook for hook in runner.hooks if isinstance(hook, CheckpointHook)), None)
    save_as(hook, runner, checkpoint_name(done))
    record_latest_checkpoint(checkpoint_name(done), runner.work_dir)
