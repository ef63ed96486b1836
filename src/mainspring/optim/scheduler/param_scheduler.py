"""Schedulers of any parameter of the optimizer's groups."""

from __future__ import annotations

import bisect
from collections import Counter
from collections.abc import Sequence
from itertools import accumulate

from mainspring.errors import ConfigError
from mainspring.optim.scheduler import curves
from mainspring.optim.scheduler.base import INF, Optimized, _ParamScheduler, refuse_conversion
from mainspring.registry import PARAM_SCHEDULERS

__all__ = [
    "ConstantParamScheduler",
    "CosineAnnealingParamScheduler",
    "CosineRestartParamScheduler",
    "ExponentialParamScheduler",
    "LinearParamScheduler",
    "MultiStepParamScheduler",
    "PolyParamScheduler",
    "StepParamScheduler",
    "check_between",
]


@PARAM_SCHEDULERS.register_module()
class ConstantParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor until the end, where it takes its former value again.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        factor: The factor, from 0 to 1.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: The factor is beyond its range.
    """

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        factor: float = 1.0 / 3,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        check_between("factor", factor)
        self.factor = factor
        self.total_iters = end - begin - 1
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.constant(value, self.last_step, factor=self.factor, total=self.total_iters)
            for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class CosineAnnealingParamScheduler(_ParamScheduler):
    """Lowers the parameter along half a cosine (Loshchilov and Hutter, 2017, without restarts).

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        T_max: Steps until the lowest value; ``end - begin`` by default.
        eta_min: The lowest value; 0 by default.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        eta_min_ratio: The lowest value as a share of the first; instead of `eta_min`.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: `eta_min` and `eta_min_ratio` are both given.
    """

    epoch_arguments = ("T_max",)
    whole_steps = False

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        T_max: float | None = None,  # noqa: N803 - the name that torch and every config use
        eta_min: float | None = None,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        eta_min_ratio: float | None = None,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        if eta_min is None and eta_min_ratio is None:
            eta_min = 0.0
        _check_one_minimum(type(self).__name__, eta_min, eta_min_ratio)
        self.T_max = T_max or (end - begin)
        self.eta_min = eta_min
        self.eta_min_ratio = eta_min_ratio
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.cosine(
                value,
                base,
                self.last_step,
                period=self.T_max,
                minimum=_minimum(base, self.eta_min, self.eta_min_ratio),
            )
            for value, base in zip(self._current(), self.base_values, strict=True)
        ]


@PARAM_SCHEDULERS.register_module()
class ExponentialParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor at every step.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        gamma: The factor.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.
    """

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        gamma: float,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        self.gamma = gamma
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.exponential(value, self.last_step, gamma=self.gamma) for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class LinearParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor that changes along a line; the usual warm-up.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        start_factor: Factor at the first step, above 0 and at most 1.
        end_factor: Factor at the last step, from 0 to 1.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: A factor is beyond its range.
    """

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        start_factor: float = 1.0 / 3,
        end_factor: float = 1.0,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        check_between("start_factor", start_factor, above_zero=True)
        check_between("end_factor", end_factor)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = end - begin - 1
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.linear(
                value,
                self.last_step,
                start=self.start_factor,
                end=self.end_factor,
                total=self.total_iters,
            )
            for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class MultiStepParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor at each milestone.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        milestones: The steps, counted from `begin`, in any order.
        gamma: The factor.
        last_step: Steps done before; -1 for a fresh start.
        begin: First step at which to act.
        end: Step before which to stop acting.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.
    """

    epoch_arguments = ("milestones",)

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        milestones: Sequence[int],
        gamma: float = 0.1,
        last_step: int = -1,
        begin: int = 0,
        end: int = INF,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        self.milestones = Counter(milestones)
        self.gamma = gamma
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.multi_step(value, self.last_step, milestones=self.milestones, gamma=self.gamma)
            for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class StepParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor every few steps.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        step_size: Steps between two changes.
        gamma: The factor.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.
    """

    epoch_arguments = ("step_size",)

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        step_size: int,
        gamma: float = 0.1,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        self.step_size = step_size
        self.gamma = gamma
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.step_decay(value, self.last_step, step_size=self.step_size, gamma=self.gamma)
            for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class PolyParamScheduler(_ParamScheduler):
    """Lowers the parameter as a power of what is left; the lowest value is reached at the end.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        eta_min: The lowest value.
        power: The power.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.
    """

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        eta_min: float = 0,
        power: float = 1.0,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        self.eta_min = eta_min
        self.power = power
        self.total_iters = end - begin - 1
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        return [
            curves.poly(
                value,
                self.last_step,
                power=self.power,
                minimum=self.eta_min,
                total=self.total_iters,
            )
            for value in self._current()
        ]


@PARAM_SCHEDULERS.register_module()
class CosineRestartParamScheduler(_ParamScheduler):
    """Lowers the parameter along half a cosine, again and again (Loshchilov and Hutter, 2017).

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        periods: Steps of each period.
        restart_weights: Share of the first value at which each period starts.
        eta_min: The lowest value; this or `eta_min_ratio`.
        eta_min_ratio: The lowest value as a share of the first.
        begin: First step at which to act.
        end: Step before which to stop acting.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: Periods and weights differ in number, or not exactly one minimum is given.
    """

    epoch_arguments = ("periods",)

    def __init__(
        self,
        optimizer: Optimized,
        param_name: str,
        periods: Sequence[int],
        restart_weights: Sequence[float] = (1,),
        eta_min: float | None = None,
        eta_min_ratio: float | None = None,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        _check_one_minimum(type(self).__name__, eta_min, eta_min_ratio)
        if len(periods) != len(restart_weights):
            raise ConfigError(
                f"there are {len(periods)} periods and {len(restart_weights)} restart_weights",
                help="give one weight for each period",
            )
        self.periods = list(periods)
        self.restart_weights = list(restart_weights)
        self.eta_min = eta_min
        self.eta_min_ratio = eta_min_ratio
        self.cumulative_periods = list(accumulate(periods))
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _get_value(self) -> list[float]:
        restarts = [0, *self.cumulative_periods]
        index = bisect.bisect_right(self.cumulative_periods, self.last_step)
        if index == len(self.periods):
            return self._current()
        return [
            curves.cosine_restart(
                value,
                base,
                self.last_step - restarts[index],
                period=self.periods[index],
                weight=self.restart_weights[index],
                minimum=_minimum(base, self.eta_min, self.eta_min_ratio),
            )
            for value, base in zip(self._current(), self.base_values, strict=True)
        ]


def _minimum(base: float, eta_min: float | None, eta_min_ratio: float | None) -> float:
    if eta_min_ratio is not None:
        return base * eta_min_ratio
    return 0.0 if eta_min is None else eta_min


def _check_one_minimum(name: str, eta_min: float | None, eta_min_ratio: float | None) -> None:
    if (eta_min is None) == (eta_min_ratio is None):
        given = "neither" if eta_min is None else "both"
        raise ConfigError(
            f"{name} is given {given} of eta_min and eta_min_ratio", help="give exactly one of them"
        )


def check_between(name: str, value: float, *, above_zero: bool = False) -> None:
    """Check that a share is one.

    Args:
        name: What it is called.
        value: The share.
        above_zero: Whether 0 is too little.

    Raises:
        ConfigError: It is beyond its range.
    """
    if value < 0 or value > 1 or (above_zero and value == 0):
        bounds = "above 0 and at most 1" if above_zero else "from 0 to 1"
        raise ConfigError(f"{name} is {value!r}", help=f"it is {bounds}")
