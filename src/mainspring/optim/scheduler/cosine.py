"""Schedulers along half a cosine."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from itertools import accumulate

from mainspring.errors import ConfigError
from mainspring.optim.scheduler import curves
from mainspring.optim.scheduler.base import INF, Optimized, _ParamScheduler, refuse_conversion
from mainspring.registry import PARAM_SCHEDULERS

__all__ = ["CosineAnnealingParamScheduler", "CosineRestartParamScheduler"]


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

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = CosineAnnealingParamScheduler(optimizer, "lr", T_max=4)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 0.853..., 0.5, 0.146..., 0.0]
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
        if not T_max:
            self.derived_of_end = ("T_max",)
        self.eta_min = eta_min
        self.eta_min_ratio = eta_min_ratio
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _derive_from_end(self) -> None:
        if self.derived_of_end:
            self.T_max = self.end - self.begin

    def _follow(self, value: float, base: float) -> float:
        return curves.cosine(
            value,
            base,
            self.last_step,
            period=self.T_max,
            minimum=_minimum(base, self.eta_min, self.eta_min_ratio),
        )


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

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = CosineRestartParamScheduler(
        ...     optimizer, "lr", periods=[2, 2], restart_weights=[1, 0.5], eta_min=0
        ... )
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 0.5, 0.5, 0.25, 0.25]
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

    def _follow(self, value: float, base: float) -> float:
        restarts = [0, *self.cumulative_periods]
        index = bisect.bisect_right(self.cumulative_periods, self.last_step)
        if index == len(self.periods):
            return value
        return curves.cosine_restart(
            value,
            base,
            self.last_step - restarts[index],
            period=self.periods[index],
            weight=self.restart_weights[index],
            minimum=_minimum(base, self.eta_min, self.eta_min_ratio),
        )


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
