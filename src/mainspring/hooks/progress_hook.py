"""Shows on a terminal how far the run is."""

from __future__ import annotations

import time
from typing import TypeVar

from mainspring.columns import as_duration
from mainspring.dataset.any_loader import length_of
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs, Predicted
from mainspring.hooks.iter_timer_hook import IterTimerHook
from mainspring.hooks.logger_hook import LoggerHook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.logging.progress_display import ProgressDisplay
from mainspring.registry import HOOKS

__all__ = ["ProgressHook"]

HookT = TypeVar("HookT", bound=Hook)


@HOOKS.register_module()
class ProgressHook(Hook):
    """Drives the progress display; where there is no terminal, it shows nothing.

    One bar stands for the whole training and stays there while it validates: time gone and left,
    validations included, the watched metric, losses, rates, iterations per second and the share of
    the time that is waiting for data. Nothing is asked of the device for it: losses are those of
    the last log step.

    Args:
        updates_per_second: How often the display changes at most.
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> default_hooks = dict(progress=ProgressHook(updates_per_second=2))
    """

    priority: int | str | Priority = "VERY_LOW"

    def __init__(
        self,
        updates_per_second: float = 10.0,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        self._seconds_between = 1.0 / updates_per_second
        self._next_update = 0.0
        self._display = ProgressDisplay()
        self._training_since: float | None = None
        self._timer: IterTimerHook | None = None
        self._logger: LoggerHook | None = None

    def before_train(self, runner: Run) -> None:
        """Show the training."""
        self._training_since = time.monotonic()
        self._timer = _hook_of(runner, IterTimerHook)
        self._logger = _hook_of(runner, LoggerHook)
        self._display.start(runner.max_iters, _epoch_of(runner), runner.iter)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Show the iteration."""
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + self._seconds_between
            self._display.update(runner.iter + 1, self._texts(now), _epoch_of(runner))

    def before_val(self, runner: Run) -> None:
        """Show the validation, if it is not that of a training."""
        if self._training_since is None:
            self._display.start(length_of(runner.val_dataloader) or 0, "val", 0)

    def after_val_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Show the batch."""
        now = time.monotonic()
        if now < self._next_update:
            return
        self._next_update = now + self._seconds_between
        if self._training_since is None:
            self._display.update(batch_idx + 1)
        else:
            of = length_of(runner.val_dataloader) or "?"
            self._display.update(None, self._texts(now), f"val {batch_idx + 1}/{of}")

    def after_val(self, runner: Run) -> None:
        """Go back to the training, if there is one."""
        if self._training_since is None:
            self._display.stop()
        else:
            texts = self._texts(time.monotonic())
            self._display.update(runner.iter, texts, _epoch_of(runner))

    def after_train(self, runner: Run) -> None:
        """Take the display away."""
        self._training_since = None
        self._display.stop()

    def before_test(self, runner: Run) -> None:
        """Show the test."""
        self._display.start(length_of(runner.test_dataloader) or 0, "test", 0)

    def after_test_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Show the batch."""
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + self._seconds_between
            self._display.update(batch_idx + 1)

    def after_test(self, runner: Run) -> None:
        """Take the display away."""
        self._display.stop()

    def abandon(self, runner: Run, mode: str) -> None:
        """Take the display away."""
        if mode == "train" or self._training_since is None:
            self.after_train(runner)

    def _texts(self, now: float) -> list[str]:
        """What stands beside the bar, what matters most first."""
        gone = as_duration(now - (self._training_since or now))
        left = None if self._timer is None else self._timer.seconds_left
        texts = [gone if left is None else f"{gone} < {as_duration(left)}"]
        table = None if self._logger is None else self._logger.table
        return texts if table is None else texts + table.in_short()


def _hook_of(runner: Run, kind: type[HookT]) -> HookT | None:
    return next((hook for hook in runner.hooks if isinstance(hook, kind)), None)


def _epoch_of(runner: Run) -> str:
    if runner.max_epochs <= 1:
        return "train"
    return f"epoch {min(runner.epoch + 1, runner.max_epochs)}/{runner.max_epochs}"
