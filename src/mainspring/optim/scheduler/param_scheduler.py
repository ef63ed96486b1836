"""Schedulers of any parameter of the optimizer's groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from mainspring.errors import ConfigError
from mainspring.optim.scheduler import curves
from mainspring.optim.scheduler.base import INF, Optimized, _ParamScheduler, refuse_conversion
from mainspring.optim.scheduler.cosine import (
    CosineAnnealingParamScheduler,
    CosineRestartParamScheduler,
)
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
        end: Step before which to stop acting; at ``end - 1``, its last one, the factor is gone.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: The factor is beyond its range.

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = ConstantParamScheduler(optimizer, "lr", factor=0.1, end=3)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [0.1, 0.1, 1.0, 1.0, 1.0]
    """

    derived_of_end = ("total_iters",)

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

    def _follow(self, value: float, base: float) -> float:
        return curves.constant(value, self.last_step, factor=self.factor, total=self.total_iters)


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

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = ExponentialParamScheduler(optimizer, "lr", gamma=0.5)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 0.5, 0.25, 0.125, 0.0625]
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

    def _follow(self, value: float, base: float) -> float:
        return curves.exponential(value, self.last_step, gamma=self.gamma)


@PARAM_SCHEDULERS.register_module()
class LinearParamScheduler(_ParamScheduler):
    """Scales the parameter by a factor that changes along a line; the usual warm-up.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        start_factor: Factor at the first step, from 0 to 1.
        end_factor: Factor at the last step, from 0 to 1.
        begin: First step at which to act.
        end: Step before which to stop acting; `end_factor` is reached at ``end - 1``, its last one.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Raises:
        ConfigError: A factor is beyond its range.

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = LinearParamScheduler(optimizer, "lr", start_factor=0.2, end=4)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [0.2, 0.466..., 0.733..., 1.0, 1.0]
    """

    derived_of_end = ("total_iters",)

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
        check_between("start_factor", start_factor)
        check_between("end_factor", end_factor)
        self.start_factor = start_factor
        self.end_factor = end_factor
        self.total_iters = end - begin - 1
        super().__init__(optimizer, param_name, begin, end, last_step, by_epoch, verbose)

    def _follow(self, value: float, base: float) -> float:
        return curves.linear(
            value,
            self.last_step,
            start=self.start_factor,
            end=self.end_factor,
            total=self.total_iters,
            base=base,
        )


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

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = MultiStepParamScheduler(optimizer, "lr", milestones=[2, 4])
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 1.0, 0.1, 0.1, 0.010...]
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

    def _follow(self, value: float, base: float) -> float:
        return curves.multi_step(
            value, self.last_step, milestones=self.milestones, gamma=self.gamma
        )


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

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = StepParamScheduler(optimizer, "lr", step_size=2, gamma=0.5)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 1.0, 0.5, 0.5, 0.25]
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

    def _follow(self, value: float, base: float) -> float:
        return curves.step_decay(value, self.last_step, step_size=self.step_size, gamma=self.gamma)


@PARAM_SCHEDULERS.register_module()
class PolyParamScheduler(_ParamScheduler):
    """Lowers the parameter as a power of what is left; the lowest value is reached at the end.

    Args:
        optimizer: Optimizer or optimizer wrapper.
        param_name: Name of the parameter in the groups.
        eta_min: The lowest value.
        power: The power.
        begin: First step at which to act.
        end: Step before which to stop acting; at ``end - 1``, its last one, `eta_min` is reached.
        last_step: Steps done before; -1 for a fresh start.
        by_epoch: Whether a step is an epoch or an iteration.
        verbose: Whether to say each value.
        convert_to_iter_based: In a config, whether to convert epochs to iterations.

    Example:
        >>> from mainspring.optim.scheduler.preview import planned_values
        >>> optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
        >>> scheduler = PolyParamScheduler(optimizer, "lr", power=2, end=4)
        >>> planned_values(optimizer, [scheduler], max_iters=5, epoch_length=1).values["lr"]
        [1.0, 0.444..., 0.111..., 0.0, 0.0]
    """

    derived_of_end = ("total_iters",)

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

    def _follow(self, value: float, base: float) -> float:
        return curves.poly(
            value,
            self.last_step,
            power=self.power,
            minimum=self.eta_min,
            total=self.total_iters,
        )


def check_between(name: str, value: float) -> None:
    """Check that a share is one.

    Args:
        name: What it is called.
        value: The share.

    Raises:
        ConfigError: It is beyond its range.
    """
    if not 0 <= value <= 1:
        raise ConfigError(f"{name} is {value!r}", help="it is from 0 to 1")
