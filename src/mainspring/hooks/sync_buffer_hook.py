"""Makes buffers such as running statistics equal on all processes."""

from __future__ import annotations

from mainspring.dist import all_reduce_params, is_distributed
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["SyncBuffersHook"]


@HOOKS.register_module()
class SyncBuffersHook(Hook):
    """Averages the model's buffers over all ranks after each epoch and before validation.

    Args:
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> custom_hooks = [SyncBuffersHook()]
    """

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        self._take_priority(priority)
        self.distributed = is_distributed()
        self.called_in_train = False

    def before_val_epoch(self, runner: Run) -> None:
        """Average the buffers, unless the end of the epoch just did (all ranks)."""
        if not self.called_in_train:
            self._average(runner)
        self.called_in_train = False

    def after_train_epoch(self, runner: Run) -> None:
        """Average the buffers (all ranks)."""
        self._average(runner)
        self.called_in_train = True

    def before_train_epoch(self, runner: Run) -> None:
        """Forget the averaging of an epoch that no validation followed."""
        self.called_in_train = False

    def _average(self, runner: Run) -> None:
        if self.distributed or is_distributed():  # the processes may have been joined since
            all_reduce_params(runner.model.buffers(), op="mean")
