"""Policies of learning rates."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from bisect import bisect_right
from itertools import accumulate
from numbers import Number
from typing import Any

from mainspring.compat.mmcv.runner.hooks.hook import HOOKS
from mainspring.compat.mmcv.runner.hooks.updater import (
    Annealing,
    Cyclic,
    OneCycle,
    Steps,
    Updater,
    annealing_cos,
    annealing_linear,
    format_param,
    optimizers_of,
)
from mainspring.errors import ConfigError

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


class LrUpdaterHook(Updater):
    """Base of the policies; a derived class defines ``get_lr(runner, base_lr)``."""

    setting = "lr"

    def get_lr(self, runner: Any, base_lr: float) -> float:
        """The learning rate of a group from its first one, at this point of the run."""
        return self.value(runner, base_lr)


@HOOKS.register_module()
class FixedLrUpdaterHook(LrUpdaterHook):
    """Leaves the learning rate alone, but for a warm-up."""

    def value(self, runner: Any, base: float) -> float:
        return base


@HOOKS.register_module()
class StepLrUpdaterHook(LrUpdaterHook, Steps):
    """Multiplies the learning rate by `gamma` at some points; see `Steps`."""


@HOOKS.register_module()
class CosineAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Goes along half a cosine; see `Annealing`."""


@HOOKS.register_module()
class LinearAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Goes along a line; see `Annealing`."""

    anneal_strategy = "linear"


@HOOKS.register_module()
class CyclicLrUpdaterHook(LrUpdaterHook, Cyclic):
    """Goes up and down several times; see `Cyclic`."""


@HOOKS.register_module()
class ExpLrUpdaterHook(LrUpdaterHook):
    """Multiplies the learning rate by `gamma` each time."""

    def __init__(self, gamma: float, **kwargs: Any) -> None:
        self.gamma = gamma
        super().__init__(**kwargs)

    def value(self, runner: Any, base: float) -> float:
        return base * float(self.gamma ** self.progress(runner)[0])


@HOOKS.register_module()
class PolyLrUpdaterHook(LrUpdaterHook):
    """Falls to `min_lr` as a power of what is left of the run."""

    def __init__(self, power: float = 1.0, min_lr: float = 0.0, **kwargs: Any) -> None:
        self.power, self.min_lr = power, min_lr
        super().__init__(**kwargs)

    def value(self, runner: Any, base: float) -> float:
        done, whole = self.progress(runner)
        return (base - self.min_lr) * float((1 - done / whole) ** self.power) + self.min_lr


@HOOKS.register_module()
class InvLrUpdaterHook(LrUpdaterHook):
    """Falls as a power of what was done."""

    def __init__(self, gamma: float, power: float = 1.0, **kwargs: Any) -> None:
        self.gamma, self.power = gamma, power
        super().__init__(**kwargs)

    def value(self, runner: Any, base: float) -> float:
        return base * float((1 + self.gamma * self.progress(runner)[0]) ** (-self.power))


@HOOKS.register_module()
class FlatCosineAnnealingLrUpdaterHook(LrUpdaterHook, Annealing):
    """Stays for `start_percent` of the run, then goes along half a cosine."""

    def __init__(self, start_percent: Any = 0.75, **kwargs: Any) -> None:
        if not isinstance(start_percent, float) or not 0 <= start_percent <= 1:
            raise ConfigError(
                f"expected float between 0 and 1 start_percent, but got {start_percent}"
            )
        self.start_percent = start_percent
        super().__init__(**kwargs)

    def value(self, runner: Any, base: float) -> float:
        done, whole = self.progress(runner)
        start = round(whole * self.start_percent)
        if done < start:
            return base
        return annealing_cos(base, self.target(base), (done - start) / (whole - start))


@HOOKS.register_module()
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

    def value(self, runner: Any, base: float) -> float:
        done, _ = self.progress(runner)
        period = bisect_right(self.cumulative_periods, done)
        if period == len(self.periods):
            raise ConfigError(
                f"Current iteration {done} exceeds cumulative_periods {self.cumulative_periods}"
            )
        begun = self.cumulative_periods[period] - self.periods[period]
        way = min((done - begun) / self.periods[period], 1)
        return annealing_cos(base, self.target(base), way, self.restart_weights[period])


@HOOKS.register_module()
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
        for name, one in optimizers_of(runner).items():
            highest = format_param(name or type(one).__name__, one, self._max_lr)
            self._base[name] = [lr / self.div_factor for lr in highest]
            for group, lr in zip(one.param_groups, self._base[name], strict=True):
                group.setdefault("initial_lr", lr)

    def value(self, runner: Any, base: float) -> float:
        turns = [base, base * self.div_factor, base / self.final_div_factor]
        if self.three_phase:
            turns.insert(2, base)
        return self.at(runner.iter, self._length, turns)
