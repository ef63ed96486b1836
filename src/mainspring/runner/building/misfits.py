"""What parts of a run say differently from each other, or say without effect."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from mainspring.columns import counted
from mainspring.errors import ConfigError, did_you_mean
from mainspring.hooks import CheckpointHook, EarlyStoppingHook, EMAHook, LoggerHook
from mainspring.logging import warn
from mainspring.optim import _ParamScheduler
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.optim.scheduler.base import INF
from mainspring.runner.building.default_hooks import hooks_of

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = [
    "Parts",
    "hooks_by_path",
    "metric_names",
    "misfits",
    "say_misfits",
    "watching_argument",
]

_USUAL_INTERVAL = 10
_PERIODS = ("T_max", "total_steps")
_STEPWISE = ("MultiStep", "Step", "ReduceOnPlateau", "Exponential", "Constant")
_DECAYS = ("CosineAnnealing", "Poly", "Exponential", "CosineRestart")


@dataclass
class Parts:
    """The built parts of a run that have to agree, by the config paths that describe them.

    Attributes:
        train_loop: The train loop; ``None`` if it is unknown.
        trains: Whether the run trains.
        validates: Whether it validates.
        metrics: Names of the metrics of the validation; ``None`` if they are unknown.
        log_processor: The log processor; ``None`` if it is unknown.
        hooks: The hooks.
        schedulers: The schedulers.
        iterations: How many iterations training has; 0 if that is not known.
    """

    train_loop: Any = None
    trains: bool = True
    validates: bool = False
    metrics: set[str] | None = None
    log_processor: Any = None
    hooks: dict[str, Any] = field(default_factory=dict)
    schedulers: dict[str, Any] = field(default_factory=dict)
    iterations: int = 0

    @property
    def by_epoch(self) -> bool | None:
        """Whether training counts epochs; ``None`` if that is unknown."""
        counted = getattr(self.train_loop, "by_epoch", None)
        return counted if isinstance(counted, bool) else None

    @property
    def total(self) -> int:
        """How long training is, in what it counts."""
        return int(self.train_loop.max_epochs if self.by_epoch else self.train_loop.max_iters)

    def __str__(self) -> str:
        return counted(self.total, "epoch" if self.by_epoch else "iteration")


def misfits(parts: Parts) -> Iterator[tuple[bool, ConfigError]]:
    """What does not fit together.

    Args:
        parts: The parts.

    Yields:
        Whether the run would fail of it, and what is wrong; it is not raised.
    """
    if not parts.trains:
        return
    yield from _watchers(parts)
    if parts.by_epoch is None:
        return
    yield from _validation(parts)
    if parts.validates and parts.metrics is not None and not parts.metrics:
        hint = "give a metric, or val_cfg=dict(compute_loss=True) for the losses alone"
        yield _advice("val_evaluator gives no metric", "val_evaluator", hint)
    counted = getattr(parts.log_processor, "by_epoch", None)
    if isinstance(counted, bool) and counted is not parts.by_epoch:
        yield _advice(
            f"log_processor says by_epoch={counted}, but train_cfg counts "
            f"{'epochs' if parts.by_epoch else 'iterations'}",
            "log_processor.by_epoch",
            "leave by_epoch out: lines then count as the run does",
        )
    for path, hook in parts.hooks.items():
        try:
            if isinstance(hook, EMAHook):
                hook.check_length(parts.train_loop.max_epochs, parts.train_loop.max_iters)
            elif isinstance(hook, CheckpointHook):
                if hook.by_epoch and not parts.by_epoch:
                    yield _advice(
                        "CheckpointHook counts epochs, but the run counts iterations and is one "
                        "epoch to its hooks",
                        f"{path}.by_epoch",
                        "say by_epoch=False",
                    )
                yield from _never_saved(parts, path, hook)
            elif (
                isinstance(hook, LoggerHook)
                and not parts.by_epoch
                and parts.total < hook.interval != _USUAL_INTERVAL
            ):
                yield _advice(
                    f"interval is {hook.interval}, so a run of {parts} logs no training",
                    f"{path}.interval",
                    f"give at most {parts.total}",
                )
        except ConfigError as error:
            error.config_path = path
            yield True, error
    for path, scheduler in parts.schedulers.items():
        yield from _schedule(parts, path, scheduler)


def _advice(
    message: str, path: str, hint: str | None = None, *, fails: bool = False
) -> tuple[bool, ConfigError]:
    return fails, ConfigError(message, config_path=path, help=hint)


def say_misfits(runner: Runner, metrics: set[str] | None = None) -> None:
    """Say before the first step what of a run does not fit together.

    Args:
        runner: The runner, with everything built.
        metrics: Names of what the validation gives; ``None`` to ask the evaluator.

    Raises:
        ConfigError: The run would fail of it.
    """
    sections = runner._sections
    val_loop = runner.val_loop
    sets = getattr(val_loop, "sets", [])
    only = sets[0] if len(sets) == 1 and not val_loop.compute_loss else None
    parts = Parts(
        train_loop=runner.train_loop,
        validates=val_loop is not None,
        metrics=metric_names(getattr(only, "evaluator", None)) if metrics is None else metrics,
        log_processor=runner.log_processor,
        hooks=hooks_by_path(runner),
        schedulers=dict(_placed(runner.param_schedulers, sections["param_scheduler"])),
        iterations=0 if math.isinf(length := runner.max_iters) else length,
    )
    for fails, found in misfits(parts):
        if fails:
            raise found
        warn(found)


def _placed(schedulers: Any, section: Any) -> Iterator[tuple[str, Any]]:
    """Schedules by the path at which they are described."""
    for name, several in by_optimizer(schedulers).items():
        path, described = "param_scheduler", section
        if isinstance(section, Mapping) and name in section:
            path, described = f"{path}.{name}", section[name]
        for index, scheduler in enumerate(several or []):
            is_listed = isinstance(described, list | tuple)
            yield f"{path}.{index}" if is_listed else path, scheduler


def hooks_by_path(runner: Runner) -> dict[str, Any]:
    """The hooks of a run by the config paths that describe them, else by the names of classes."""
    sections = runner._sections
    described = hooks_of(sections["default_hooks"], sections["custom_hooks"], runner.by_epoch)
    hooks: dict[str, Any] = {}
    for hook in runner.hooks:
        name = type(hook).__name__
        free = (path for path, spec in described.items() if path not in hooks)
        path = next((path for path in free if _describes(described[path], hook)), name)
        hooks[path] = hook
    return hooks


def watching_argument(part: Any) -> str:
    """The argument of a hook or schedule that names a metric."""
    return "save_best" if isinstance(part, CheckpointHook) else "monitor"


def _describes(spec: Any, hook: Any) -> bool:
    kind = spec.get("type") if isinstance(spec, Mapping) else spec
    return kind is hook or kind is type(hook) or kind == type(hook).__name__


def _never_saved(
    parts: Parts, path: str, hook: CheckpointHook
) -> Iterator[tuple[bool, ConfigError]]:
    counts_epochs = parts.by_epoch if hook.by_epoch is None else hook.by_epoch
    total = parts.total if counts_epochs == parts.by_epoch else parts.iterations
    if hook.save_last or hook.best is not None or not total:
        return
    first = hook.save_begin or hook.interval
    if hook.interval > 0 and first <= total:
        return
    unit = "epoch" if counts_epochs else "iteration"
    why = (
        f"the first would follow {unit} {first} of {total}"
        if hook.interval > 0
        else ("it has neither interval, save_last nor save_best")
    )
    name = "save_begin" if hook.save_begin > total else "interval"
    yield _advice(
        f"CheckpointHook writes no checkpoint in this run: {why}",
        f"{path}.{name}",
        f"give at most {total}, or save_last=True",
    )


# Who watches metrics


def _watchers(parts: Parts) -> Iterator[tuple[bool, ConfigError]]:
    known = parts.metrics
    for path, part in (*parts.hooks.items(), *parts.schedulers.items()):
        argument = watching_argument(part)
        watches = isinstance(part, CheckpointHook | EarlyStoppingHook)
        watched = getattr(part, argument, None)
        if not watched or not (watches or getattr(part, "need_val_args", False)):
            continue
        if not parts.validates:
            yield _advice(*_unvalidated(path, argument))
            continue
        for name in watched if isinstance(watched, list | tuple) else [watched]:
            if not known or name == "auto" or name in known:
                continue
            only = f"say {next(iter(known))!r}" if len(known) == 1 else None
            message = f"{argument} is {name!r}, but the evaluator gives "
            message += " and ".join(sorted(known))
            hint = did_you_mean(str(name), known) or only
            yield _advice(message, f"{path}.{argument}", hint, fails=True)


def _unvalidated(path: str, argument: str) -> tuple[str, str, str]:
    said = f"{argument} has no effect: the run has no validation"
    return said, f"{path}.{argument}", "give val_dataloader and val_evaluator"


def metric_names(evaluator: Any) -> set[str] | None:
    """The names of all metrics; ``None`` if some are known only when they are computed."""
    names: set[str] = set()
    for metric in getattr(evaluator, "metrics", [None]):
        known = getattr(metric, "metric_names", None)
        if known is None:
            return None
        names.update(known)
    return names


def _validation(parts: Parts) -> Iterator[tuple[bool, ConfigError]]:
    loop = parts.train_loop
    for name, meaning in (
        ("val_begin", "never validates"),
        ("val_interval", "validates only at its end"),
    ):
        value = getattr(loop, name, None)
        is_default = parts.by_epoch is False and name == "val_interval" and value == 1000
        if not parts.validates:
            if isinstance(value, int) and value != 1 and not is_default:
                yield _advice(*_unvalidated("train_cfg", name))
        elif isinstance(value, int) and value > parts.total and not is_default:
            yield _advice(
                f"{name} is {value}, so a run of {parts} {meaning}",
                f"train_cfg.{name}",
                f"give at most {parts.total}",
            )


# Schedules


def _schedule(parts: Parts, path: str, schedule: Any) -> Iterator[tuple[bool, ConfigError]]:
    name = type(schedule).__name__
    if not isinstance(schedule, _ParamScheduler):
        return
    if schedule.by_epoch and not parts.by_epoch and not schedule.need_val_args:
        yield _advice(
            f"{name} counts epochs, but the run counts iterations and is one epoch to its "
            "schedulers",
            f"{path}.by_epoch",
            "say by_epoch=False, or leave it out",
        )
    if schedule.by_epoch is not parts.by_epoch:
        if schedule.by_epoch or not parts.iterations:
            return
        loop = SimpleNamespace(by_epoch=False, max_iters=parts.iterations)
        parts = replace(parts, train_loop=loop)
    form = name.removesuffix("LR").removesuffix("Momentum").removesuffix("ParamScheduler")
    if schedule.begin >= parts.total:
        yield _advice(
            f"{name} begins at {schedule.begin}, but the run has {parts}", f"{path}.begin"
        )
        return
    yield from _milestones(parts, path, schedule)
    yield from _end(parts, path, schedule, form)
    goes_on = any(
        other is not schedule
        and getattr(other, "param_name", None) == schedule.param_name
        and (other.by_epoch is not schedule.by_epoch or other.end > schedule.end)
        for other_path, other in parts.schedulers.items()
        if other_path.rpartition(".")[0] == path.rpartition(".")[0]
    )
    if form in _DECAYS and schedule.end < parts.total and not goes_on:
        yield _advice(
            f"{name} ends at {schedule.end}, but the run has {parts}: the value stays as it is "
            "from there on",
            f"{path}.end",
            f"say end={parts.total}, or leave it out",
        )


def _milestones(parts: Parts, path: str, schedule: Any) -> Iterator[tuple[bool, ConfigError]]:
    last = min(parts.total, schedule.end)
    steps = last - schedule.begin
    late = [item for item in getattr(schedule, "milestones", ()) if item >= steps]
    if late:
        shown = " and ".join(map(str, late))
        several = len(late) > 1
        ends = "the run has" if last == parts.total else f"the schedule ends at {last}, of"
        yield _advice(
            f"milestone{'s' if several else ''} {shown} {'are' if several else 'is'} never "
            f"reached: {ends} {parts}",
            f"{path}.milestones",
            f"give milestones below {steps}",
        )


def _end(parts: Parts, path: str, schedule: Any, form: str) -> Iterator[tuple[bool, ConfigError]]:
    name, total = type(schedule).__name__, parts.total
    steps = min(total, schedule.end) - schedule.begin
    unit = "epochs" if parts.by_epoch else "iterations"
    period = next((item for item in _PERIODS if hasattr(schedule, item)), None)
    length = None if period is None else getattr(schedule, period)
    if length is not None and length not in (steps, schedule.end - schedule.begin):
        message = f"{name} is over after {length} of {steps} {unit}, and turns back then"
        if length > steps:
            early = schedule.end < total
            message = f"{name} reaches its end after {length} {unit}, "
            message += f"but is used for {steps}" if early else f"later than the run of {parts}"
        yield _advice(message, f"{path}.{period}", f"say {period}={steps}, or leave it out")
    elif total < schedule.end < INF and form not in _STEPWISE:
        yield _advice(
            f"{name} ends at {schedule.end}, later than the run of {parts}",
            f"{path}.end",
            f"say end={total}, or leave it out",
        )
