"""Steps the parameter schedulers: after each iteration, epoch or validation, as each one counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.registry import HOOKS

__all__ = ["ParamSchedulerHook"]


@HOOKS.register_module()
class ParamSchedulerHook(Hook):
    """Steps schedulers by iteration after each iteration and those by epoch after each epoch.

    Schedulers that need metrics (``need_val_args``) are stepped with them after each validation
    that takes place in training.

    Args:
        priority: Place among the hooks of a point; by default that of the class.
    """

    priority: int | str | Priority = "LOW"

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        if priority is not None:
            self.priority = priority

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Step the schedulers that count iterations.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch.
            data_batch: What the loader gave.
            outputs: The logged values by name.
        """
        for scheduler in _all_of(runner.param_schedulers):
            if not scheduler.by_epoch and not getattr(scheduler, "need_val_args", False):
                scheduler.step()

    def after_train_epoch(self, runner: Any) -> None:
        """Step the schedulers that count epochs; one that waits for a metric only counts.

        Args:
            runner: The runner of this run.
        """
        for scheduler in _all_of(runner.param_schedulers):
            if scheduler.by_epoch:
                scheduler.step()

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Step the schedulers that wait for a metric.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        if metrics is None or not _is_built(runner.param_schedulers):
            return
        for scheduler in _all_of(runner.param_schedulers):
            if getattr(scheduler, "need_val_args", False):
                scheduler.step(metrics)


def _is_built(schedulers: Any) -> bool:
    """Whether schedulers exist; validation alone finds what the config says about them."""
    return all(hasattr(scheduler, "step") for scheduler in _all_of(schedulers))


def _all_of(schedulers: Any) -> Iterable[Any]:
    """The schedulers of one optimizer, or of all optimizers in turn."""
    if schedulers is None:
        return ()
    if isinstance(schedulers, list):
        return schedulers
    return _flattened(schedulers)


def _flattened(schedulers: Any) -> Iterator[Any]:
    if not isinstance(schedulers, dict):
        yield schedulers
        return
    for entries in schedulers.values():
        yield from entries if isinstance(entries, list | tuple) else [entries]
