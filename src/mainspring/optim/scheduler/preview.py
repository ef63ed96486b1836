"""The values that schedules will give, before anything is trained."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["PlannedValues", "planned_values"]


@dataclass(frozen=True, slots=True)
class PlannedValues:
    """What schedules will do.

    Attributes:
        iterations: Iterations, counted from 0, before which the values hold; rising, the first and
            the last one of the run among them.
        values: The values there by name: ``lr``, ``momentum`` and so on, and
            ``accumulative_counts`` where that changes. The first group of
            parameters gives the name; others that differ from it follow as ``lr (group 1)``. With
            several optimizers, their names come before, as ``generator.lr``.
    """

    iterations: list[int]
    values: dict[str, list[float]]


class _StandIn:
    """Parameter groups without parameters, for schedulers to act on."""

    _global_step = 1  # no scheduler shall warn that it steps too early

    def __init__(self, optimizer: Any) -> None:
        self.param_groups: list[dict[str, Any]] = [
            {name: copy.copy(value) for name, value in group.items() if name != "params"}
            for group in optimizer.param_groups
        ]


def planned_values(
    optim_wrapper: Any,
    schedulers: Any,
    *,
    max_iters: int,
    epoch_length: int | None = None,
    points: int = 400,
) -> PlannedValues:
    """Let copies of schedulers step through a run.

    Neither the schedulers nor the optimizer change. Schedulers that wait for metrics do nothing.
    Where a scheduler counts iterations, each of them is stepped through (about a microsecond each).

    Args:
        optim_wrapper: What the schedulers act on: a wrapper, or a dict of wrappers.
        schedulers: The schedulers: a list, or a dict of lists by the name of the optimizer; or
            ``None``. They stand at the beginning of the run.
        max_iters: Iterations of the run.
        epoch_length: Iterations of an epoch; ``None`` where nothing counts epochs.
        points: How many points to give, at about equal distances; at least 2.
    """
    one = not isinstance(schedulers, Mapping)
    several = hasattr(optim_wrapper, "optim_wrappers")
    wrappers: Mapping[str, Any] = dict(optim_wrapper.items()) if several else {"": optim_wrapper}
    copies: list[Any] = []
    stand_ins: dict[str, _StandIn] = {}
    followed: dict[str, set[str]] = {}
    for name, wrapper in wrappers.items():
        stand_in = stand_ins[name] = _StandIn(wrapper)
        given = (schedulers if one else schedulers.get(name)) or []
        memo = {id(wrapper): stand_in, id(getattr(wrapper, "optimizer", wrapper)): stand_in}
        own = [copy.deepcopy(scheduler, dict(memo)) for scheduler in given]
        followed[name] = {"lr", *(scheduler.param_name for scheduler in own)}
        copies += [item for item in own if not getattr(item, "need_val_args", False)]
    by_iter = [item for item in copies if not item.by_epoch]
    by_epoch = [item for item in copies if item.by_epoch] if epoch_length else []

    last = max(max_iters - 1, 0)
    shown = sorted({round(index * last / max(points - 1, 1)) for index in range(points)})
    found: list[dict[str, float]] = []
    for iteration in range(last + 1) if by_iter else _changes(shown, epoch_length):
        if iteration and by_iter:
            _step(by_iter)
        if iteration and epoch_length and iteration % epoch_length == 0:
            _step(by_epoch)
        if len(found) < len(shown) and iteration == shown[len(found)]:
            found.append(dict(_values(stand_ins, followed)))
    names = list(dict.fromkeys(name for values in found for name in values))
    curves = {name: [values[name] for values in found] for name in names}
    for name, wrapper in wrappers.items():
        changes = getattr(wrapper, "accumulation_schedule", None)
        if changes is not None:
            counts = [float(changes.group_of(iteration)[1]) for iteration in shown]
            curves[f"{name}.accumulative_counts" if name else "accumulative_counts"] = counts
    return PlannedValues(shown, _without_equal_groups(curves))


def _changes(shown: list[int], epoch_length: int | None) -> Iterable[int]:
    """The iterations to look at where nothing happens within an epoch."""
    ends = range(epoch_length, shown[-1] + 1, epoch_length) if epoch_length else ()
    return sorted({*shown, *ends})


def _step(schedulers: Iterable[Any]) -> None:
    for scheduler in schedulers:
        scheduler.step()


def _values(
    stand_ins: Mapping[str, _StandIn], followed: Mapping[str, set[str]]
) -> Iterable[tuple[str, float]]:
    for owner, stand_in in stand_ins.items():
        for parameter in sorted(followed[owner]):
            for index, group in enumerate(stand_in.param_groups):
                if parameter in group:
                    of_group = f" (group {index})" if index else ""
                    name = f"{owner}.{parameter}" if owner else parameter
                    value = group[parameter]
                    # Adam's momentum is the first of its betas.
                    yield name + of_group, float(value[0] if isinstance(value, tuple) else value)


def _without_equal_groups(curves: dict[str, list[float]]) -> dict[str, list[float]]:
    """Each curve once for an optimizer and parameter, under the name of its first group."""
    kept: dict[str, list[float]] = {}
    for name, values in curves.items():
        own = name.partition(" (group ")[0]
        if not any(
            other.partition(" (group ")[0] == own and values == known
            for other, known in kept.items()
        ):
            kept[name] = values
    return kept
