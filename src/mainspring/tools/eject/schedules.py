"""Schedules in a script: torch's own where it computes the same, else rows of a table."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from torch.optim import lr_scheduler

from mainspring.optim.scheduler import (
    ConstantParamScheduler,
    CosineAnnealingParamScheduler,
    CosineRestartParamScheduler,
    ExponentialParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
    OneCycleParamScheduler,
    PolyParamScheduler,
    ReduceOnPlateauParamScheduler,
    StepParamScheduler,
)
from mainspring.tools.eject.expressions import not_by_default

__all__ = ["rows_of", "torchs_of", "why_not"]

_CURVES = {
    ConstantParamScheduler: "constant(value, step, factor={s.factor!r}, total={s.total_iters})",
    CosineAnnealingParamScheduler: (
        "cosine(value, base, step, period={s.T_max}, minimum={minimum})"
    ),
    CosineRestartParamScheduler: "",
    ExponentialParamScheduler: "exponential(value, step, gamma={s.gamma!r})",
    LinearParamScheduler: (
        "linear(value, step, start={s.start_factor!r}, end={s.end_factor!r}, "
        "total={s.total_iters}, base=base)"
    ),
    MultiStepParamScheduler: (
        "multi_step(value, step, milestones={milestones}, gamma={s.gamma!r})"
    ),
    OneCycleParamScheduler: "",
    PolyParamScheduler: (
        "poly(value, step, power={s.power!r}, minimum={minimum}, total={s.total_iters})"
    ),
    StepParamScheduler: "step_decay(value, step, step_size={s.step_size}, gamma={s.gamma!r})",
}
"""The call of the curve of `mainspring.optim.scheduler.curves` that a scheduler follows."""

_TORCHS: dict[type, type] = {
    ConstantParamScheduler: lr_scheduler.ConstantLR,
    CosineAnnealingParamScheduler: lr_scheduler.CosineAnnealingLR,
    ExponentialParamScheduler: lr_scheduler.ExponentialLR,
    LinearParamScheduler: lr_scheduler.LinearLR,
    MultiStepParamScheduler: lr_scheduler.MultiStepLR,
    OneCycleParamScheduler: lr_scheduler.OneCycleLR,
    ReduceOnPlateauParamScheduler: lr_scheduler.ReduceLROnPlateau,
    StepParamScheduler: lr_scheduler.StepLR,
}
"""Torch's class of the same numbers in every bit."""


def why_not(schedule: Any, schedules: Sequence[Any]) -> str | None:
    """Why a schedule cannot be ejected; `None` if it can.

    Args:
        schedule: The schedule.
        schedules: All schedules of its optimizer.
    """
    beside = [other for other in schedules if other.param_name == schedule.param_name]
    if not type(schedule).__module__.startswith("mainspring."):
        return ", which is not of the box"
    if getattr(schedule, "use_betas", False):
        return ", which sets one of the betas"
    if isinstance(schedule, OneCycleParamScheduler) and len(beside) > 1:
        return " beside another schedule, which it overrides"
    if isinstance(schedule, ReduceOnPlateauParamScheduler):
        is_whole = schedule.begin == 0 and schedule.param_name == "lr"
        return None if is_whole else " that begins later, or is not of the learning rate"
    return None if _of(_CURVES, schedule) is not None else ""


def torchs_of(schedule: Any, steps: float) -> tuple[type, dict[str, Any]] | None:
    """Torch's class of the same numbers in every bit, and what to give it besides the optimizer.

    Args:
        schedule: The schedule.
        steps: Steps of the whole run, in what the schedule counts.

    Returns:
        `None` if there is none.
    """
    ends_itself = isinstance(schedule, ConstantParamScheduler | LinearParamScheduler)
    is_whole = schedule.begin == 0 and (ends_itself or schedule.end >= steps)
    known = _of(_TORCHS, schedule)
    starts_at_zero = getattr(schedule, "start_factor", 1) == 0  # torch refuses that
    is_share = getattr(schedule, "eta_min_ratio", None) is not None
    if known is None or not is_whole or schedule.param_name != "lr" or starts_at_zero or is_share:
        return None
    settings = {**vars(schedule), **_renamed(schedule)}
    del settings["optimizer"], settings["verbose"]
    return known, not_by_default(known, settings)


def _renamed(s: Any) -> dict[str, Any]:
    """Arguments that torch's class has and our schedule has not under this name."""
    if isinstance(s, OneCycleParamScheduler):
        pct_start, three_phase = s._shape
        return {
            "max_lr": s.eta_max,
            "pct_start": pct_start,
            "three_phase": three_phase,
            "cycle_momentum": False,
        }
    if isinstance(s, ReduceOnPlateauParamScheduler):
        lowest = s.min_values[0] if len(set(s.min_values)) == 1 else s.min_values
        mode = "max" if s.rule == "greater" else "min"
        return {"mode": mode, "threshold_mode": s.threshold_rule, "min_lr": lowest}
    return {"milestones": sorted(s.milestones.elements())} if hasattr(s, "milestones") else {}


def rows_of(schedule: Any) -> Iterator[tuple[int, float, str]]:
    """When a schedule acts, and what it makes of a value then.

    Args:
        schedule: The schedule.

    Yields:
        The first step, the one behind the last, and the call.
    """
    s = schedule
    share = getattr(s, "eta_min_ratio", None)
    minimum = getattr(s, "eta_min", 0.0) if share is None else f"base * {share!r}"
    if isinstance(s, OneCycleParamScheduler):
        group, first, began = s.optimizer.param_groups[0], 0, 0.0
        for phase in s._schedule_phases:
            start, end, last = (phase[key] for key in ("start_lr", "end_lr", "end_step"))
            done = f"(step + {first} - {began!r})" if first else "step"
            call = f"one_cycle({group[start]!r}, {group[end]!r}, {done} / {last - began!r}"
            behind = math.floor(last) + 1
            if behind > first:
                yield s.begin + first, s.begin + behind, f'{call}, anneal="{s.anneal_strategy}")'
            first, began = behind, last
        return
    if isinstance(s, CosineRestartParamScheduler):
        begin = s.begin
        for period, weight in zip(s.periods, s.restart_weights, strict=True):
            of_period = f"period={period}, weight={weight!r}, minimum={minimum}"
            call = f"cosine_restart(value, base, step, {of_period})"
            yield begin, min(begin + period, s.end), call
            begin += period
        return
    milestones = dict(getattr(s, "milestones", ()))
    call = _of(_CURVES, s) or ""
    yield s.begin, s.end, call.format(s=s, minimum=minimum, milestones=milestones)


def _of(table: dict[type, Any], schedule: Any) -> Any:
    return next((found for kind, found in table.items() if isinstance(schedule, kind)), None)
