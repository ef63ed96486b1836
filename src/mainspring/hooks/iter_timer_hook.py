"""Measures how long iterations take and when the loop will end."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.registry import HOOKS

__all__ = ["IterTimerHook"]


@HOOKS.register_module()
class IterTimerHook(Hook):
    """Records the seconds of each iteration as ``{mode}/time`` and ``{mode}/data_time``.

    ``data_time`` is the part spent waiting for data. The runtime information ``eta`` holds the
    seconds until the loop ends, from the mean over all its iterations in this process.

    Args:
        priority: Place among the hooks of a point; by default that of the class.
    """

    priority: int | str | Priority = "NORMAL"

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        if priority is not None:
            self.priority = priority
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
        self._seconds["train"] = 0.0

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
        else:
            loader = runner.val_dataloader if mode == "val" else runner.test_dataloader
            done = batch_idx + 1
            hub.update_info("eta", total / done * (len(loader) - done))

    def _after_epoch(self, runner: Any, mode: str = "train") -> None:
        self._iteration_began = time.perf_counter()
