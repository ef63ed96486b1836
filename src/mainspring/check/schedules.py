"""Schedules that do not fit the length of the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mainspring.check.problem import Problem
from mainspring.check.run import Run
from mainspring.check.run_length import type_name, whole_number

__all__ = ["schedule_problems"]

_FORMS = ("LR", "Momentum", "ParamScheduler")
_PERIODS = {"CosineAnnealing": "T_max", "OneCycle": "total_steps"}
_DECAYS = ("CosineAnnealing", "Poly", "Exponential", "CosineRestart")


class _Schedule:
    """One entry of ``param_scheduler``: its form without ``LR``, and its range."""

    def __init__(self, run: Run, path: tuple[str, ...], spec: dict[Any, Any]) -> None:
        arguments = run.arguments_of(spec)
        self.path, self.spec, self.arguments = path, spec, arguments
        self.name = type_name(spec) or ""
        self.form, self.parameter = _form_of(self.name, arguments)
        by_epoch = arguments.get("by_epoch")
        self.by_epoch = by_epoch if isinstance(by_epoch, bool) else run.length.by_epoch
        self.begin = whole_number(arguments.get("begin")) or 0
        self.end = whole_number(arguments.get("end"))


def _form_of(name: str, arguments: dict[Any, Any]) -> tuple[str, str]:
    for ending in _FORMS:
        if name.endswith(ending):
            parameter = str(arguments.get("param_name")) if ending == _FORMS[2] else ending
            return name.removesuffix(ending), parameter
    return "", ""


def schedule_problems(run: Run) -> Iterator[Problem]:
    """Schedules that count what the run does not, or that end before it or after it.

    Args:
        run: The run.
    """
    schedules = list(_schedules(run, ("param_scheduler",), run.section("param_scheduler")))
    for schedule in schedules:
        if run.length.by_epoch is False and schedule.arguments.get("by_epoch") is True:
            yield _problem(
                run,
                schedule,
                "by_epoch",
                f"{schedule.name} counts epochs, but the run counts iterations and is one epoch "
                "to its schedulers",
                "say by_epoch=False, or leave it out",
            )
        elif schedule.by_epoch is run.length.by_epoch and run.length.total is not None:
            yield from _misfits(run, schedule, run.length.total)
            yield from _early_end(run, schedule, schedules, run.length.total)


def _schedules(run: Run, path: tuple[str, ...], section: Any) -> Iterator[_Schedule]:
    if isinstance(section, list | tuple):
        for index, item in enumerate(section):
            yield from _schedules(run, (*path, str(index)), item)
    elif isinstance(section, dict):
        if dict.__contains__(section, "type"):
            yield _Schedule(run, path, section)
        elif len(path) == 1:
            for name, item in dict.items(section):
                yield from _schedules(run, (*path, str(name)), item)


def _misfits(run: Run, schedule: _Schedule, total: int) -> Iterator[Problem]:
    last = total if schedule.end is None else min(total, schedule.end)
    steps = last - schedule.begin
    if schedule.begin >= total:
        yield _problem(
            run,
            schedule,
            "begin",
            f"{schedule.name} begins at {schedule.begin}, but the run has {run.length}",
            None,
        )
        return
    milestones = schedule.arguments.get("milestones")
    if schedule.form == "MultiStep" and isinstance(milestones, list | tuple):
        late = [item for item in milestones if whole_number(item) is not None and item >= steps]
        if late:
            shown = " and ".join(map(str, late))
            ends = "the run has" if last == total else f"the schedule ends at {last}, of"
            yield _problem(
                run,
                schedule,
                "milestones",
                f"milestones {shown} are never reached: {ends} {run.length}"
                if len(late) > 1
                else f"milestone {shown} is never reached: {ends} {run.length}",
                f"give milestones below {steps}",
            )
    period = _PERIODS.get(schedule.form)
    length = whole_number(schedule.arguments.get(period)) if period else None
    if length is not None and length != steps:
        if length > steps:
            message = (
                f"{schedule.name} reaches its end after {length} {run.length.unit}, later than "
            )
            message += f"the run of {run.length}"
        elif schedule.end is not None and schedule.end - schedule.begin == length:
            return
        else:
            message = f"{schedule.name} is over after {length} of {steps} {run.length.unit}, and "
            message += "turns back then"
        yield _problem(
            run, schedule, str(period), message, f"say {period}={steps}, or leave it out"
        )
    elif schedule.end is not None and schedule.end > total and schedule.form not in _STEPWISE:
        yield _problem(
            run,
            schedule,
            "end",
            f"{schedule.name} ends at {schedule.end}, later than the run of {run.length}",
            f"say end={total}, or leave it out",
        )


_STEPWISE = ("MultiStep", "Step", "ReduceOnPlateau", "Exponential", "Constant", "")


def _early_end(
    run: Run, schedule: _Schedule, schedules: list[_Schedule], total: int
) -> Iterator[Problem]:
    if schedule.form not in _DECAYS or schedule.end is None or schedule.end >= total:
        return
    goes_on = any(
        other.parameter == schedule.parameter
        and (other.by_epoch is not schedule.by_epoch or (other.end or total) > schedule.end)
        for other in schedules
        if other is not schedule and other.path[:-1] == schedule.path[:-1]
    )
    if not goes_on:
        yield _problem(
            run,
            schedule,
            "end",
            f"{schedule.name} ends at {schedule.end}, but the run has {run.length}: the value "
            "stays as it is from there on",
            f"say end={total}, or leave it out",
        )


def _problem(
    run: Run, schedule: _Schedule, argument: str, message: str, help_line: str | None
) -> Problem:
    return run.problem("warning", message, (*schedule.path, argument), help=help_line)
