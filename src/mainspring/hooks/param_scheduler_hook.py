"""Steps the parameter schedulers: after each iteration, epoch or validation, as each one counts."""

from __future__ import annotations

from typing import Any

from mainspring.errors import ArgumentTypeError
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.registry import HOOKS

__all__ = ["ParamSchedulerHook"]


@HOOKS.register_module()
class ParamSchedulerHook(Hook):
    """Steps schedulers by iteration after each iteration and those by epoch after each epoch.

    Schedulers that need metrics (``need_val_args``) are stepped with them after each validation
    that takes place in training.

    Args:
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> default_hooks = dict(param_scheduler=ParamSchedulerHook())
    """

    priority: int | str | Priority = "LOW"

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        self._take_priority(priority)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Step the schedulers that count iterations."""
        for scheduler in _all_of(runner.param_schedulers):
            if not scheduler.by_epoch and getattr(scheduler, "need_val_args", False) is not True:
                scheduler.step()

    def after_train_epoch(self, runner: Run) -> None:
        """Step the schedulers that count epochs; one that waits for a metric only counts."""
        for scheduler in _all_of(runner.param_schedulers):
            if scheduler.by_epoch:
                scheduler.step()

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Step the schedulers that wait for a metric."""
        schedulers = _all_of(runner.param_schedulers)
        # Validation alone finds what the config says about them.
        if metrics is None or not all(hasattr(scheduler, "step") for scheduler in schedulers):
            return
        for scheduler in schedulers:
            if getattr(scheduler, "need_val_args", False):
                scheduler.step(metrics)


def _all_of(schedulers: Any) -> list[Any]:
    """The schedulers of one optimizer, or of all optimizers in turn.

    Raises:
        ArgumentTypeError: It is a scheduler alone.
    """
    if hasattr(schedulers, "step"):
        raise ArgumentTypeError(
            f"runner.param_schedulers is a {type(schedulers).__name__}",
            help="put schedulers into a list; several optimizers have a dict of such lists",
        )
    if schedulers is None or isinstance(schedulers, list):
        return schedulers or []
    several = by_optimizer(schedulers).values()
    return [
        scheduler
        for entries in several
        for scheduler in (entries if isinstance(entries, list | tuple) else [entries])
    ]
