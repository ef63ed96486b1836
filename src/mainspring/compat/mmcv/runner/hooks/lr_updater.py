"""Policies of learning rates, and what those of momenta share with them.

A policy computes the value of a parameter group from its first one; a warm-up changes it at first.
All stand in one file, as in MMCV, where projects import them from it.
"""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from itertools import accumulate
from math import cos, pi
from numbers import Number
from typing import Any, ClassVar, Literal

from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.errors import ConfigError, did_you_mean
from mainspring.optim.scheduler.curves import one_cycle_ends, phase_at

__all__ = [
    "CosineAnnealingLrUpdaterHook",
    "CosineRestartLrUpdaterHook",
    "CyclicLrUpdaterHook",
    "ExpLrUpdaterHook",
    "FixedLrUpdaterHook",
    "FlatCosineAnnealingLrUpdaterHook",
    "InvLrUpdaterHook",
    "LinearAnnealingLrUpdaterHook",
    "LrUpdaterHook",
    "OneCycleLrUpdaterHook",
    "PolyLrUpdaterHook",
    "StepLrUpdaterHook",
    "annealing_cos",
    "annealing_linear",
    "format_param",
]


def annealing_cos(start: float, end: float, factor: float, weight: float = 1.0) -> float:
    """The point of a half cosine from `start` to `end` at `factor`, from 0 to 1."""
    return end + 0.5 * weight * (start - end) * (cos(pi * factor) + 1)


def annealing_linear(start: float, end: float, factor: float) -> float:
    """The point of a line from `start` to `end` at `factor`, from 0 to 1."""
    return start + (end - start) * factor


def format_param(name: str, optim: Any, param: Any) -> Sequence[float]:
    """A value for each parameter group: the same for all, one for each, or by name of optimizer."""
    if isinstance(param, Mapping):
        if name not in param:
            raise KeyError(f"{name} is not found in {param.keys()}")
        return param[name]  # type: ignore[no-any-return]  # - one for each group
    count = len(optim.param_groups)
    values = param if isinstance(param, list | tuple) else [param] * count
    if len(values) != count:
        raise ValueError(f"expected {count} values for {name}, got {len(values)}")
    return values


def optimizers_of(runner: Any) -> dict[str | None, Any]:
    """The optimizers by name; a single one has none."""
    optimizer = runner.optimizer
    return optimizer if isinstance(optimizer, dict) else {None: optimizer}


def groups_of(runner: Any) -> list[dict[str, Any]]:
    """The parameter groups of all optimizers."""
    return [group for one in optimizers_of(runner).values() for group in one.param_groups]


def values_for(runner: Any, param: Any) -> list[float]:
    """A value for each group of all optimizers, as `format_param` reads them."""
    several = optimizers_of(runner).items()
    kinds = [(name or type(one).__name__, one) for name, one in several]
    return [value for name, one in kinds for value in format_param(name, one, param)]


def _share(name: str, value: Any) -> float:
    if not isinstance(value, float) or not 0 <= value <= 1:
        raise ConfigError(f"expected float between 0 and 1 {name}, but got {value}")
    return value


def _refuse_epochs(by_epoch: bool) -> None:
    if by_epoch:
        raise ConfigError('currently only support "by_epoch" = False')


def _curve(strategy: str) -> Callable[[float, float, float], float]:
    if strategy not in ("cos", "linear"):
        raise ConfigError(f"anneal_strategy is {strategy!r}", help="it is 'cos' or 'linear'")
    return annealing_cos if strategy == "cos" else annealing_linear


class Updater(Hook):
    """Sets a setting of the parameter groups, by epochs or by iterations.

    Args:
        by_epoch: Whether the policy counts epochs.
        warmup: ``"constant"``, ``"linear"`` or ``"exp"``; none by default.
        warmup_iters: Length of the warm-up.
        warmup_ratio: Where it begins, as a part of the policy's value.
        warmup_by_epoch: Whether `warmup_iters` counts epochs.
    """

    setting: ClassVar[Literal["lr", "momentum"]]

    def __init__(
        self,
        by_epoch: bool = True,
        warmup: str | None = None,
        warmup_iters: int = 0,
        warmup_ratio: float = 0.1,
        warmup_by_epoch: bool = False,
    ) -> None:
        if warmup is not None:
            kinds = ("constant", "linear", "exp")
            if warmup not in kinds:
                raise ConfigError(
                    f'"{warmup}" is not a supported type for warming up',
                    help=did_you_mean(str(warmup), kinds) or f"one of {', '.join(kinds)}",
                )
            if warmup_iters <= 0:
                raise ConfigError('"warmup_iters" must be a positive integer')
            if not 0 < warmup_ratio <= 1:
                raise ConfigError('"warmup_ratio" must be in range (0,1]')
        self.by_epoch, self.warmup_by_epoch = by_epoch, warmup_by_epoch
        self.warmup, self.warmup_ratio = warmup, warmup_ratio
        self.warmup_epochs = warmup_iters if warmup_by_epoch else None
        self.warmup_iters: Any = None if warmup_by_epoch else warmup_iters
        self._base: list[Any] = []
        self._regular: list[float] = []
        self._has_said_units = False

    def value(self, base: Any, done: int, whole: int) -> float:
        """The value of a group from its first one, by what `progress` says of the run."""
        raise NotImplementedError

    def write(self, group: dict[str, Any], value: float) -> None:
        """Set the setting of a group; the first beta is the momentum of optimizers like Adam."""
        if self.setting in group:
            group[self.setting] = value
        elif "betas" in group:
            group["betas"] = (value, group["betas"][1])

    def progress(self, runner: Any) -> tuple[int, int]:
        """Where the run is, and how long it is, in what the policy counts."""
        if self.by_epoch:
            return runner.epoch, runner.max_epochs
        return runner.iter, runner.max_iters

    def before_run(self, runner: Any) -> None:
        """Remember the first values; a run that is continued has them in its groups."""
        self._base, self._regular = [], []
        for group in groups_of(runner):
            now = group[self.setting] if self.setting in group else group["betas"][0]
            self._base.append(group.setdefault(f"initial_{self.setting}", float(now)))

    def before_train_epoch(self, runner: Any) -> None:
        """Set the values of the epoch."""
        if self.by_epoch:
            self._set_regular(runner)

    def before_train_iter(self, runner: Any) -> None:
        """Set the values of the iteration."""
        if self.by_epoch and not self._regular:
            if not self._has_said_units:
                self._has_said_units = True
                runner.logger.warning(
                    f"{type(self).__name__} has no effect: it counts epochs, which "
                    f"{type(runner).__name__} does not begin; give it by_epoch=False"
                )
            return
        if self.warmup_iters is None:
            self.warmup_iters = (self.warmup_epochs or 0) * len(runner.data_loader)
        warming = self.warmup is not None and runner.iter < self.warmup_iters
        if not self.by_epoch:
            self._set_regular(runner)
        elif self.warmup is not None and runner.iter == self.warmup_iters:
            self._set(runner, self._regular)
        if warming:
            self._set(runner, self._warmed(runner.iter))

    def _set_regular(self, runner: Any) -> None:
        self._regular = self.regular(runner)
        self._set(runner, self._regular)

    def regular(self, runner: Any) -> list[float]:
        """The values of all groups, without a warm-up."""
        of_group = getattr(self, f"get_{self.setting}")
        return [of_group(runner, base) for base in self._base]

    def _warmed(self, iteration: int) -> list[float]:
        way = 1 - iteration / self.warmup_iters
        ratio = {
            "constant": self.warmup_ratio,
            "linear": 1 - way * (1 - self.warmup_ratio),
            "exp": self.warmup_ratio**way,
        }[str(self.warmup)]
        is_rate = self.setting == "lr"
        return [value * ratio if is_rate else value / ratio for value in self._regular]

    def _set(self, runner: Any, values: list[float]) -> None:
        for group, value in zip(groups_of(runner), values, strict=True):
            self.write(group, value)


class Steps(Updater):
    """Multiplies the value at some points.

    Args:
        step: After how many epochs or iterations, each time or at each of a list.
        gamma: By what.
        **kwargs: ``min_lr`` or ``min_momentum``, and those of `Updater`.
    """

    gamma = 0.1

    def __init__(self, step: int | list[int], gamma: float | None = None, **kwargs: Any) -> None:
        steps = step if isinstance(step, list) else [step]
        if not all(isinstance(one, int) for one in steps):
            raise TypeError(f'"step" must be a list or integer, but is {step!r}')
        if not all(one > 0 for one in steps):
            raise ConfigError(f"step is {step!r}", help="give positive numbers")
        self.step = step
        self.gamma = self.gamma if gamma is None else gamma
        self.minimum = kwargs.pop(f"min_{self.setting}", None)
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        step = self.step
        times = done // step if isinstance(step, int) else sum(done >= one for one in step)
        value = base * self.gamma**times
        return value if self.minimum is None else max(value, self.minimum)


class Annealing(Updater):
    """Goes from the first value to another one, along a curve.

    Args:
        **kwargs: ``min_lr`` or ``min_lr_ratio`` (``min_momentum``, ...), and those of `Updater`.
    """

    anneal_strategy: ClassVar[str] = "cos"

    def __init__(self, **kwargs: Any) -> None:
        self.minimum = kwargs.pop(f"min_{self.setting}", None)
        self.ratio = kwargs.pop(f"min_{self.setting}_ratio", None)
        if (self.minimum is None) == (self.ratio is None):
            name = f"min_{self.setting}"
            raise ConfigError(f"a policy needs {name} or {name}_ratio, and not both")
        super().__init__(**kwargs)

    def target(self, base: float) -> float:
        """The value at the end."""
        return base * self.ratio if self.minimum is None else float(self.minimum)

    def value(self, base: float, done: int, whole: int) -> float:
        return _curve(self.anneal_strategy)(base, self.target(base), done / whole)


class Cyclic(Updater):
    """Goes to one value and on to another one, several times.

    Args:
        by_epoch: Must be ``False``.
        target_ratio: The two values, as parts of the first one; the second of them by default a
            hundred thousandth of the first.
        cyclic_times: How often.
        step_ratio_up: Which part of a cycle goes to the first of them.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        gamma: By what each further cycle is smaller.
        **kwargs: Those of `Updater`.
    """

    ratios: ClassVar[tuple[float, float]] = (10, 1e-4)

    def __init__(
        self,
        by_epoch: bool = False,
        target_ratio: float | tuple[float, ...] | None = None,
        cyclic_times: int = 1,
        step_ratio_up: float = 0.4,
        anneal_strategy: str = "cos",
        gamma: float = 1,
        **kwargs: Any,
    ) -> None:
        given = self.ratios if target_ratio is None else target_ratio
        given = (given,) if isinstance(given, float) else given
        if not isinstance(given, tuple):
            raise ConfigError(f"target_ratio should be either float or tuple, got {type(given)}")
        given = (given[0], given[0] / 1e5) if len(given) == 1 else given
        if len(given) != 2 or not 0 <= step_ratio_up < 1 or not 0 < gamma <= 1:
            raise ConfigError(
                f"target_ratio is {given}, step_ratio_up {step_ratio_up}, gamma {gamma}",
                help="give two ratios, a part below 1, and a factor from 0 to 1",
            )
        _refuse_epochs(by_epoch)
        self.target_ratio, self.cyclic_times = given, cyclic_times
        self.step_ratio_up, self.gamma = step_ratio_up, gamma
        self.anneal_func = _curve(anneal_strategy)
        super().__init__(by_epoch, **kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        length = whole // self.cyclic_times
        up = int(self.step_ratio_up * length)
        cycle, place = divmod(done, length)
        scale = self.gamma**cycle
        top, bottom = self.target_ratio
        if place < up:
            return self.anneal_func(base, base * (1 - scale + top * scale), place / up)
        if up:
            top = 1 - scale + top * scale
        else:
            bottom = 1 - scale + bottom * scale
        return self.anneal_func(base * top, base * bottom, (place - up) / (length - up))


class OneCycle(Updater):
    """Goes up and down once over the run, see Smith and Topin, "Super-Convergence", 2018.

    Args:
        pct_start: Which part of the run goes to the first turning point.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        three_phase: Whether the way back is as long as the way there, with a third phase.
        **kwargs: Those of `Updater`.
    """

    def __init__(
        self,
        pct_start: Any = 0.3,
        anneal_strategy: str = "cos",
        three_phase: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("by_epoch", False)
        _refuse_epochs(kwargs["by_epoch"])
        self.pct_start, self.three_phase = _share("pct_start", pct_start), three_phase
        self.anneal_func = _curve(anneal_strategy)
        super().__init__(**kwargs)

    def at(self, iteration: int, length: int, first: float, turn: float, last: float) -> float:
        """The value at an iteration.

        Args:
            iteration: The iteration.
            length: Iterations of the whole.
            first: The value at the beginning, and once more where there are three phases.
            turn: The value at the turning point.
            last: The value at the end.
        """
        turns = [first, turn, *([first] if self.three_phase else []), last]
        ends = one_cycle_ends(length, self.pct_start, three_phase=self.three_phase)
        phase, way = phase_at(iteration, ends)
        return self.anneal_func(turns[phase], turns[phase + 1], way)


class LrUpdaterHook(Updater):
    """Base of the policies; a derived class defines ``get_lr(runner, base_lr)``."""

    setting = "lr"

    def get_lr(self, runner: Any, base_lr: float) -> float:
        """The learning rate of a group from its first one, at this point of the run."""
        return self.value(base_lr, *self.progress(runner))


class FixedLrUpdaterHook(LrUpdaterHook):
    """Leaves the learning rate alone, but for a warm-up."""

    def value(self, base: float, done: int, whole: int) -> float:
        return base


class StepLrUpdaterHook(LrUpdaterHook, Steps):
    """Multiplies the learning rate by `gamma` at some points; see `Steps`."""


class CosineAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Goes along half a cosine; see `Annealing`."""


class LinearAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Goes along a line; see `Annealing`."""

    anneal_strategy = "linear"


class CyclicLrUpdaterHook(LrUpdaterHook, Cyclic):
    """Goes up and down several times; see `Cyclic`."""


class ExpLrUpdaterHook(LrUpdaterHook):
    """Multiplies the learning rate by `gamma` each time."""

    def __init__(self, gamma: float, **kwargs: Any) -> None:
        self.gamma = gamma
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        return base * float(self.gamma**done)


class PolyLrUpdaterHook(LrUpdaterHook):
    """Falls to `min_lr` as a power of what is left of the run."""

    def __init__(self, power: float = 1.0, min_lr: float = 0.0, **kwargs: Any) -> None:
        self.power, self.min_lr = power, min_lr
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        return (base - self.min_lr) * float((1 - done / whole) ** self.power) + self.min_lr


class InvLrUpdaterHook(LrUpdaterHook):
    """Falls as a power of what was done."""

    def __init__(self, gamma: float, power: float = 1.0, **kwargs: Any) -> None:
        self.gamma, self.power = gamma, power
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        return base * float((1 + self.gamma * done) ** (-self.power))


class FlatCosineAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Stays for `start_percent` of the run, then goes along half a cosine."""

    def __init__(self, start_percent: Any = 0.75, **kwargs: Any) -> None:
        self.start_percent = _share("start_percent", start_percent)
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        start = round(whole * self.start_percent)
        if done < start:
            return base
        return annealing_cos(base, self.target(base), (done - start) / (whole - start))


class CosineRestartLrUpdaterHook(LrUpdaterHook, Annealing):
    """Goes along half a cosine in each of `periods`, each from `restart_weights` of the start."""

    def __init__(
        self,
        periods: list[int],
        restart_weights: list[float] | tuple[float, ...] = (1,),
        **kwargs: Any,
    ) -> None:
        if len(periods) != len(restart_weights):
            raise ConfigError("periods and restart_weights should have the same length.")
        self.periods, self.restart_weights = periods, restart_weights
        self.cumulative_periods = list(accumulate(periods))
        super().__init__(**kwargs)

    def value(self, base: float, done: int, whole: int) -> float:
        period = bisect_right(self.cumulative_periods, done)
        if period == len(self.periods):
            raise ConfigError(
                f"Current iteration {done} exceeds cumulative_periods {self.cumulative_periods}"
            )
        begun = self.cumulative_periods[period] - self.periods[period]
        way = min((done - begun) / self.periods[period], 1)
        return annealing_cos(base, self.target(base), way, self.restart_weights[period])


class OneCycleLrUpdaterHook(LrUpdaterHook, OneCycle):
    """Goes up to `max_lr` and down once over the run; see `OneCycle`.

    Args:
        max_lr: The highest learning rate, one for all groups or each, or by name of optimizer.
        total_steps: Iterations of the whole; those of the run by default.
        div_factor: How many times smaller the first learning rate is.
        final_div_factor: How many times smaller than the first the last one is.
        **kwargs: Those of `OneCycle`.
    """

    def __init__(
        self,
        max_lr: Any,
        total_steps: int | None = None,
        div_factor: float = 25,
        final_div_factor: float = 1e4,
        **kwargs: Any,
    ) -> None:
        if not isinstance(max_lr, Number | list | dict):
            raise ConfigError(f"the type of max_lr must be the one of list or dict, got {max_lr!r}")
        if not isinstance(total_steps, int | None):
            raise ConfigError(f"the type of total_steps must be int, but got {total_steps!r}")
        self._max_lr, self.total_steps = max_lr, total_steps
        self.div_factor, self.final_div_factor = div_factor, final_div_factor
        super().__init__(**kwargs)

    def before_run(self, runner: Any) -> None:
        self._length = self.total_steps or runner.max_iters
        if self._length < runner.max_iters:
            raise ConfigError(
                f"The total steps must be greater than or equal to max iterations "
                f"{runner.max_iters} of runner, but total steps is {self._length}."
            )
        self._base = [lr / self.div_factor for lr in values_for(runner, self._max_lr)]
        for group, lr in zip(groups_of(runner), self._base, strict=True):
            group.setdefault("initial_lr", lr)

    def value(self, base: float, done: int, whole: int) -> float:
        highest, last = base * self.div_factor, base / self.final_div_factor
        return self.at(done, self._length, base, highest, last)
