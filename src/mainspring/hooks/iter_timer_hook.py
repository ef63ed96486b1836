"""Measures how long iterations take and when the loop will end."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.dataset.any_loader import length_of
from mainspring.device.multi_processing import usable_cores
from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["IterTimerHook"]

_FIRST_LOOK = 30.0
"""Seconds of training before it is looked at what it waits for."""

_CLOSE_LOOK = 20
"""Iterations in which the wait for data is told apart from the hooks behind this one."""

_HANDOVER = 2e-3
"""Seconds of waiting for a batch below which workers do not help: to hand it over takes as long."""


@HOOKS.register_module()
class IterTimerHook(Hook):
    """Records the seconds of each iteration as ``{mode}/time`` and ``{mode}/data_time``.

    ``data_time`` is the part before the iteration's own hooks and step: waiting for data, and, as
    in MMEngine, the hooks that act behind this one after the iteration before. The runtime
    information ``eta`` holds the seconds until the loop ends, from the mean over all its iterations
    in this process; that of a training counts the validations to come.

    Attributes:
        seconds_left: Seconds until the training ends, also told within its validations; ``None``
            where its length is not known.

    When a training of more than half a minute waits for data most of its time, one line says so.
    Before that, some iterations are looked at more closely, so that a slow hook does not count as
    data.

    Args:
        data_wait_limit: Part of the training's time, 0 to 1, that may be waiting for data; 1 for
            any.
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> default_hooks = dict(timer=IterTimerHook(data_wait_limit=0.3))
    """

    def __init__(
        self, data_wait_limit: float = 0.5, *, priority: int | str | Priority | None = None
    ) -> None:
        self._take_priority(priority)
        self.data_wait_limit = data_wait_limit
        self._last_of_hooks: _LastOfHooks | None = None
        self._hooks: list[Any] = []
        self._iterations_to_look = 0
        self._iteration_began = self._data_time = 0.0
        self._length: int | None = None
        self._seconds = {"train": 0.0, "val": 0.0, "test": 0.0}
        self._count_from(0)

    def _count_from(self, iteration: int) -> None:
        """Know nothing of a training but where this process begins with it."""
        self.start_iter = iteration
        self._seconds["train"] = self._counted_from = 0.0
        self._waited = self._waited_before = 0.0
        self._next_look = _FIRST_LOOK
        self.seconds_left: float | None = None
        self._train_left: float | None = None
        self._val_began: float | None = None
        self._val_seconds = self._val_seconds_left = 0.0

    @property
    def training_seconds(self) -> tuple[float, float]:
        """Seconds of all training iterations in this process, and how many were waits for data."""
        return self._seconds["train"], self._waited

    def before_train(self, runner: Run) -> None:
        """Start counting where this process starts training."""
        self._count_from(runner.iter)

    def before_val(self, runner: Run) -> None:
        """Note when a validation of the training begins."""
        self._val_began = time.perf_counter()

    def after_val(self, runner: Run) -> None:
        """Note how long a validation of the training took."""
        if self._val_began is not None:
            self._val_seconds = time.perf_counter() - self._val_began
            self._val_began = None
            self._val_seconds_left = self._val_seconds * _validations_left(runner)

    def _before_epoch(self, runner: Run, mode: str = "train") -> None:
        if mode != "train":
            self._seconds[mode] = 0.0
        self._iteration_began = time.perf_counter()

    def _before_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, mode: str = "train"
    ) -> None:
        now = time.perf_counter()
        self._data_time = now - self._iteration_began
        if mode == "train":
            last = self._last_of_hooks
            began = self._iteration_began
            self._waited += now - (began if last is None else max(began, last.ended))

    def _after_iter(
        self,
        runner: Run,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | dict[str, Any] | None = None,
        mode: str = "train",
    ) -> None:
        now = time.perf_counter()
        seconds = now - self._iteration_began
        self._iteration_began = now
        hub = runner.message_hub
        hub.record(mode, {"time": seconds, "data_time": self._data_time})
        self._seconds[mode] = total = self._seconds[mode] + seconds
        if mode == "train":
            done = runner.iter + 1
            left = runner.max_iters - done  # below 0 where the length is not known
            if left >= 0:
                self._train_left = total / (done - self.start_iter) * left
                self.seconds_left = self._train_left + self._val_seconds_left
            hub.update_info("eta", self.seconds_left)
            if total >= self._next_look:
                self._look_at_data(runner, total)
        else:
            if batch_idx == 0:  # of each data set, asked once
                loader = runner.val_dataloader if mode == "val" else runner.test_dataloader
                self._length = length_of(loader)
            done, length = batch_idx + 1, self._length
            eta = None if length is None else total / done * (length - done)
            hub.update_info("eta", eta)
            if mode == "val" and self._train_left is not None and eta is not None:
                each = self._val_seconds or total + eta
                self.seconds_left = self._train_left + eta + each * _validations_left(runner)

    def after_train(self, runner: Run) -> None:
        """End a closer look that is under way."""
        self._look_away()

    def abandon(self, runner: Run, mode: str) -> None:
        """End a closer look that is under way."""
        if mode == "train":
            self._look_away()

    def _look_at_data(self, runner: Run, total: float) -> None:
        """Say, once, that data are what training waits for."""
        waited = self._waited - self._waited_before
        share = waited / (total - self._counted_from)
        if self._last_of_hooks is None:
            self._next_look = 2 * total
            if share > self.data_wait_limit:
                self._last_of_hooks = _LastOfHooks()
                # A runner of another kind may not show its hooks; then they count as data.
                self._hooks = getattr(runner, "hooks", [])
                self._hooks.append(self._last_of_hooks)
                self._waited_before, self._counted_from = self._waited, total
                self._next_look = 0.0
                self._iterations_to_look = _CLOSE_LOOK
            return
        self._iterations_to_look -= 1
        if self._iterations_to_look:
            return
        self._look_away()
        self._next_look = 2 * total
        if share > self.data_wait_limit:
            self._next_look = math.inf
            per_batch = waited / _CLOSE_LOOK
            runner.logger.warning(_advice(runner.train_dataloader, share, per_batch))

    def _look_away(self) -> None:
        if self._last_of_hooks is not None:
            self._hooks.remove(self._last_of_hooks)
            self._last_of_hooks = None

    def _after_epoch(self, runner: Run, mode: str = "train") -> None:
        self._iteration_began = time.perf_counter()


def _validations_left(runner: Run) -> int:
    """Validations that a training still has before it, without one that is under way."""
    loop = runner._train_loop
    if isinstance(loop, Mapping):  # nothing is trained, and no training data is to be read
        return 0
    by_epoch = getattr(loop, "by_epoch", None)
    interval = getattr(loop, "val_interval", 0)
    if by_epoch is None or interval < 1:
        return 0
    done, last = (runner.epoch, runner.max_epochs) if by_epoch else (runner.iter, runner.max_iters)
    first = max(done + 1, getattr(loop, "val_begin", 1))
    if first > last:
        return 0
    return last // interval - (first - 1) // interval + (last % interval != 0)


class _LastOfHooks:
    """Stands behind all other hooks for a while, and notes when they have ended."""

    priority = "LOWEST"

    def __init__(self) -> None:
        self.ended = 0.0

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self.ended = time.perf_counter()


def _advice(loader: Any, share: float, seconds_per_batch: float) -> str:
    """What is waited for, and what to change.

    Args:
        loader: The loader.
        share: Part of the time that is waiting for data, 0 to 1.
        seconds_per_batch: Seconds of waiting for a batch.
    """
    workers = getattr(loader, "num_workers", None)
    known = "" if workers is None else f" (num_workers={workers})"
    if seconds_per_batch < _HANDOVER:
        fewer = ", try train_dataloader.num_workers=0" if workers else ""
        change = (
            f"a batch comes in {seconds_per_batch * 1e3:.1f} ms, which more workers would not "
            f"improve: load larger batches (train_dataloader.batch_size=...){fewer}, or make a "
            "sample cheaper"
        )
    elif workers is not None and workers >= usable_cores():
        change = f"each of {usable_cores()} cores loads already: make a sample cheaper"
    else:
        change = (
            "load in more workers (train_dataloader.num_workers=..., persistent_workers=True) or "
            "make a sample cheaper"
        )
    return (
        f"{share:.0%} of the training time is waiting for data{known}: {change}; mainspring "
        "profile CONFIG shows where the time goes"
    )
