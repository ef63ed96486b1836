"""Schedules that last as long as their run, when the run gets another length."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from typing import Any

from mainspring.logging import print_log
from mainspring.optim.scheduler.base import _ParamScheduler

__all__ = ["follow_length"]


class _Groups:
    """Stands for an optimizer while a schedule is gone through anew."""

    def __init__(self, groups: Iterable[dict[str, Any]]) -> None:
        self.param_groups = list(groups)


def follow_length(schedulers: Sequence[Any], epoch_length: int | None) -> None:
    """Let schedules whose end is that of the run follow its new length.

    Each parameter gets the value that it would have if the run had been that long from the start;
    what others changed, a plateau or a hook, stays as a factor.

    Args:
        schedulers: All schedulers of one optimizer, continued from a run of another length or with
            `end` changed since.
        epoch_length: Iterations of an epoch; ``None`` where that is not known.
    """
    moved = [s for s in schedulers if isinstance(s, _ParamScheduler) and s.length_before]
    for name in {scheduler.param_name for scheduler in moved}:
        acting = [
            scheduler
            for scheduler in schedulers
            if isinstance(scheduler, _ParamScheduler)
            and scheduler.param_name == name
            and not scheduler.need_val_args
        ]
        if any(scheduler in acting for scheduler in moved):
            _set_anew(name, acting, epoch_length)
    for scheduler in moved:
        print_log(
            f"{type(scheduler).__name__} now ends with the run, at {scheduler.end} rather than "
            f"{scheduler.length_before['end']}",
            logger="current",
        )
        scheduler.length_before = {}


def _set_anew(name: str, schedulers: list[_ParamScheduler], epoch_length: int | None) -> None:
    groups = schedulers[0].optimizer.param_groups
    before, _ = _gone_through(name, schedulers, epoch_length, was_before=True)
    after, copies = _gone_through(name, schedulers, epoch_length, was_before=False)
    for group, old, new in zip(groups, before, after, strict=True):
        # Exactly the new value, unless somebody else has changed it as well.
        factor = group[name] / old if old and group[name] != old else 1
        group[name] = new if factor == 1 else new * factor
    for scheduler, gone_through in zip(schedulers, copies, strict=True):
        scheduler.last_step = gone_through.last_step
        scheduler._last_value = scheduler._current()


def _gone_through(
    name: str, schedulers: list[_ParamScheduler], epoch_length: int | None, *, was_before: bool
) -> tuple[list[float], list[_ParamScheduler]]:
    """Values after all steps that were taken, for each group, and copies of the schedulers."""
    groups = schedulers[0].optimizer.param_groups
    starts = [
        {key: group[key] for key in (f"initial_{name}", "max_lr", "min_lr") if key in group}
        for group in groups
    ]
    # Of hundreds of groups, few differ.
    kinds = {str(start): {**start, name: start[f"initial_{name}"]} for start in starts}
    stand_in: Any = _Groups(kinds.values())
    copies = [copy.copy(scheduler) for scheduler in schedulers]
    for each in copies:
        each.optimizer, each.verbose, each.last_step, each._global_step = stand_in, False, -1, -1
        each.base_values = [group[f"initial_{name}"] for group in stand_in.param_groups]
        vars(each).update(each.length_before if was_before else {})
        if hasattr(each, "use_betas"):
            vars(each)["use_betas"] = False
        each.step()
    by_iteration = [each for each in copies if not each.by_epoch]
    by_epoch = [each for each in copies if each.by_epoch]
    iterations = _steps_taken(schedulers, by_epoch=False)
    epochs = _steps_taken(schedulers, by_epoch=True)
    per_epoch = epoch_length or (iterations // epochs if epochs else 0) or 1
    ticks = max(iterations, epochs * per_epoch) if by_iteration else epochs
    for tick in range(1, ticks + 1):
        if tick <= iterations:
            for each in by_iteration:
                each.step()
        if not by_iteration or tick % per_epoch == 0:
            for each in by_epoch:
                each.step()
    return [kinds[str(start)][name] for start in starts], copies


def _steps_taken(schedulers: list[_ParamScheduler], *, by_epoch: bool) -> int:
    return max((s._global_step for s in schedulers if s.by_epoch is by_epoch), default=0)
