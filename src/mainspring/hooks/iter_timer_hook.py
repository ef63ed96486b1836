"""Measures how long iterations take and when the loop will end."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.registry import HOOKS

__all__ = ["IterTimerHook"]

_FIRST_LOOK = 30.0
"""Seconds of training before it is looked at what it waits for."""


@HOOKS.register_module()
class IterTimerHook(Hook):
    """Records the seconds of each iteration as ``{mode}/time`` and ``{mode}/data_time``.

    ``data_time`` is the part spent waiting for data. The runtime information ``eta`` holds the
    seconds until the loop ends, from the mean over all its iterations in this process. When a
    training of more than half a minute waits for data most of its time, one line says so.

    Args:
        data_wait_limit: Part of the training's time, 0 to 1, that may be waiting for data; 1 for
            any.
        priority: Place among the hooks of a point; by default that of the class.
    """

    priority: int | str | Priority = "NORMAL"

    def __init__(
        self,
        data_wait_limit: float = 0.5,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        if priority is not None:
            self.priority = priority
        self.data_wait_limit = data_wait_limit
        self._waited = 0.0
        self._next_look = _FIRST_LOOK
        self._iteration_began = 0.0
        self._data_time = 0.0
        self._seconds = {"train": 0.0, "val": 0.0, "test": 0.0}
        self.start_iter = 0

    def before_train(self, runner: Any) -> None:
        """Start counting where this process starts training.

        Args:
            runner: The runner of this run.
        """
        self.start_iter = runner.iter
        self._seconds["train"] = self._waited = 0.0
        self._next_look = _FIRST_LOOK

    def _before_epoch(self, runner: Any, mode: str = "train") -> None:
        if mode != "train":
            self._seconds[mode] = 0.0
        self._iteration_began = time.perf_counter()

    def _before_iter(
        self, runner: Any, batch_idx: int, data_batch: DATA_BATCH = None, mode: str = "train"
    ) -> None:
        self._data_time = time.perf_counter() - self._iteration_began

    def _after_iter(
        self,
        runner: Any,
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
            hub.update_info("eta", total / (done - self.start_iter) * (runner.max_iters - done))
            self._waited += self._data_time
            if total >= self._next_look:
                self._look_at_data(runner, total)
        else:
            loader = runner.val_dataloader if mode == "val" else runner.test_dataloader
            done = batch_idx + 1
            hub.update_info("eta", total / done * (len(loader) - done))

    def _look_at_data(self, runner: Any, total: float) -> None:
        """Say, once, that data are what training waits for."""
        self._next_look = 2 * total
        share = self._waited / total
        if share <= self.data_wait_limit:
            return
        self._next_look = math.inf
        workers = getattr(runner.train_dataloader, "num_workers", None)
        runner.logger.warning(
            f"{share:.0%} of the training time is waiting for data"
            + ("" if workers is None else f" (num_workers={workers})")
            + ": load in more workers (train_dataloader.num_workers=..., persistent_workers=True) "
            "or make a sample cheaper; mainspring profile CONFIG shows where the time goes"
        )

    def _after_epoch(self, runner: Any, mode: str = "train") -> None:
        self._iteration_began = time.perf_counter()
