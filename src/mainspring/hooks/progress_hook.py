"""Shows on a terminal how far the run is."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.logging.progress import ProgressDisplay
from mainspring.registry import HOOKS

__all__ = ["ProgressHook"]


@HOOKS.register_module()
class ProgressHook(Hook):
    """Drives the progress display; where there is no terminal, it shows nothing.

    Args:
        updates_per_second: How often the display changes at most.
        priority: Place among the hooks of a point; by default that of the class.
    """

    priority: int | str | Priority = "VERY_LOW"

    def __init__(
        self,
        updates_per_second: float = 10.0,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        if priority is not None:
            self.priority = priority
        self._seconds_between = 1.0 / updates_per_second
        self._next_update = 0.0
        self._display = ProgressDisplay()

    def before_train(self, runner: Any) -> None:
        """Show the training.

        Args:
            runner: The runner of this run.
        """
        self._display.start(runner.max_iters, "train", runner.iter)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Show the iteration.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch.
            data_batch: What the loader gave.
            outputs: The logged values by name.
        """
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + self._seconds_between
            self._display.update(runner.iter + 1, _epoch_of(runner))

    def before_val(self, runner: Any) -> None:
        """Show the validation instead of the training.

        Args:
            runner: The runner of this run.
        """
        self._display.stop()
        self._display.start(_length_of(runner.val_dataloader), "val", 0)

    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Show the batch.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        self._show_batch(batch_idx)

    def after_val(self, runner: Any) -> None:
        """Go back to the training, if there is one.

        Args:
            runner: The runner of this run.
        """
        self._display.stop()
        if runner.message_hub.get_info("loop_stage") == "train":
            self._display.start(runner.max_iters, "train", runner.iter)

    def after_train(self, runner: Any) -> None:
        """Take the display away.

        Args:
            runner: The runner of this run.
        """
        self._display.stop()

    def before_test(self, runner: Any) -> None:
        """Show the test.

        Args:
            runner: The runner of this run.
        """
        self._display.start(_length_of(runner.test_dataloader), "test", 0)

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Show the batch.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        self._show_batch(batch_idx)

    def after_test(self, runner: Any) -> None:
        """Take the display away.

        Args:
            runner: The runner of this run.
        """
        self._display.stop()

    def _show_batch(self, batch_idx: int) -> None:
        now = time.monotonic()
        if now >= self._next_update:
            self._next_update = now + self._seconds_between
            self._display.update(batch_idx + 1, "")


def _epoch_of(runner: Any) -> str:
    if runner.max_epochs <= 1:
        return ""
    return f"epoch {runner.epoch + 1}/{runner.max_epochs}"


def _length_of(loader: Any) -> int:
    try:
        return len(loader)
    except TypeError:
        return 0
