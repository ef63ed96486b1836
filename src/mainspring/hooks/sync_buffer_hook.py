"""Makes buffers such as running statistics equal on all processes."""

from __future__ import annotations

from typing import Any

from mainspring.dist import all_reduce_params, is_distributed
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.registry import HOOKS

__all__ = ["SyncBuffersHook"]


@HOOKS.register_module()
class SyncBuffersHook(Hook):
    """Averages the model's buffers over all ranks after each epoch and before validation.

    Args:
        priority: Place among the hooks of a point; by default that of the class.
    """

    priority: int | str | Priority = "NORMAL"

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        if priority is not None:
            self.priority = priority
        self.distributed = is_distributed()
        self.called_in_train = False

    def before_val_epoch(self, runner: Any) -> None:
        """Average the buffers, unless the end of the epoch just did (all ranks).

        Args:
            runner: The runner of this run.
        """
        if not self.called_in_train:
            self._average(runner)
        self.called_in_train = False

    def after_train_epoch(self, runner: Any) -> None:
        """Average the buffers (all ranks).

        Args:
            runner: The runner of this run.
        """
        self._average(runner)
        self.called_in_train = True

    def before_train_epoch(self, runner: Any) -> None:
        """Forget the averaging of an epoch that no validation followed.

        Args:
            runner: The runner of this run.
        """
        self.called_in_train = False

    def _average(self, runner: Any) -> None:
        if self.distributed:
            all_reduce_params(runner.model.buffers(), op="mean")
