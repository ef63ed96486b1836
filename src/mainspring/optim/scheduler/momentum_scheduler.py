"""Schedulers of the momentum, or of the first beta of optimizers like Adam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from mainspring.errors import ConfigError
from mainspring.optim.scheduler.base import INF, Optimized, refuse_conversion
from mainspring.optim.scheduler.param_scheduler import (
    ConstantParamScheduler,
    CosineAnnealingParamScheduler,
    CosineRestartParamScheduler,
    ExponentialParamScheduler,
    LinearParamScheduler,
    MultiStepParamScheduler,
    PolyParamScheduler,
    StepParamScheduler,
)
from mainspring.optim.scheduler.reduce_on_plateau import ReduceOnPlateauParamScheduler
from mainspring.registry import PARAM_SCHEDULERS

__all__ = [
    "ConstantMomentum",
    "CosineAnnealingMomentum",
    "CosineRestartMomentum",
    "ExponentialMomentum",
    "LinearMomentum",
    "MomentumSchedulerMixin",
    "MultiStepMomentum",
    "PolyMomentum",
    "ReduceOnPlateauMomentum",
    "StepMomentum",
]


class MomentumSchedulerMixin:
    """Put before a scheduler class, lets it schedule the momentum.

    Raises:
        ConfigError: The optimizer has neither ``momentum`` nor ``betas``.
    """

    optimizer: Any

    def __init__(self, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        self.use_betas = False
        if "momentum" not in optimizer.defaults:
            if "betas" not in optimizer.defaults:
                raise ConfigError(
                    f"{type(self).__name__} finds neither momentum nor betas in the optimizer"
                )
            self.use_betas = True
            for group in optimizer.param_groups:
                group["momentum"] = group["betas"][0]
        super().__init__(optimizer, "momentum", *args, **kwargs)  # type: ignore[call-arg]  # - of the next class

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Take a step, and keep betas in line with the momentum; arguments as of the scheduler."""
        super().step(*args, **kwargs)  # type: ignore[misc]  # - of the scheduler class that follows
        if self.use_betas:
            for group in self.optimizer.param_groups:
                group["betas"] = (group["momentum"], *group["betas"][1:])


@PARAM_SCHEDULERS.register_module()
class ConstantMomentum(MomentumSchedulerMixin, ConstantParamScheduler):
    """Scales the momentum by a factor until the end; see `ConstantParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(optimizer, factor, begin, end, last_step, by_epoch, verbose)


@PARAM_SCHEDULERS.register_module()
class CosineAnnealingMomentum(MomentumSchedulerMixin, CosineAnnealingParamScheduler):
    """Lowers the momentum along half a cosine; see `CosineAnnealingParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
        T_max: float | None = None,  # noqa: N803 - torch's name
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
        super().__init__(
            optimizer, T_max, eta_min, begin, end, last_step, by_epoch, verbose, eta_min_ratio
        )


@PARAM_SCHEDULERS.register_module()
class ExponentialMomentum(MomentumSchedulerMixin, ExponentialParamScheduler):
    """Scales the momentum by a factor at every step; see `ExponentialParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(optimizer, gamma, begin, end, last_step, by_epoch, verbose)


@PARAM_SCHEDULERS.register_module()
class LinearMomentum(MomentumSchedulerMixin, LinearParamScheduler):
    """Scales the momentum along a line; see `LinearParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(
            optimizer, start_factor, end_factor, begin, end, last_step, by_epoch, verbose
        )


@PARAM_SCHEDULERS.register_module()
class MultiStepMomentum(MomentumSchedulerMixin, MultiStepParamScheduler):
    """Scales the momentum by a factor at each milestone; see `MultiStepParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(optimizer, milestones, gamma, last_step, begin, end, by_epoch, verbose)


@PARAM_SCHEDULERS.register_module()
class StepMomentum(MomentumSchedulerMixin, StepParamScheduler):
    """Scales the momentum by a factor every few steps; see `StepParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(optimizer, step_size, gamma, begin, end, last_step, by_epoch, verbose)


@PARAM_SCHEDULERS.register_module()
class PolyMomentum(MomentumSchedulerMixin, PolyParamScheduler):
    """Lowers the momentum as a power of what is left; see `PolyParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(optimizer, eta_min, power, begin, end, last_step, by_epoch, verbose)


@PARAM_SCHEDULERS.register_module()
class CosineRestartMomentum(MomentumSchedulerMixin, CosineRestartParamScheduler):
    """Half a cosine, again and again; see `CosineRestartParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
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
        super().__init__(
            optimizer,
            periods,
            restart_weights,
            eta_min,
            eta_min_ratio,
            begin,
            end,
            last_step,
            by_epoch,
            verbose,
        )


@PARAM_SCHEDULERS.register_module()
class ReduceOnPlateauMomentum(MomentumSchedulerMixin, ReduceOnPlateauParamScheduler):
    """Lowers it when a metric stops improving; see `ReduceOnPlateauParamScheduler`."""

    def __init__(
        self,
        optimizer: Optimized,
        monitor: str = "loss",
        rule: Literal["less", "greater"] = "less",
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_rule: Literal["rel", "abs"] = "rel",
        cooldown: int = 0,
        min_value: float | Sequence[float] = 0.0,
        eps: float = 1e-8,
        begin: int = 0,
        end: int = INF,
        last_step: int = -1,
        by_epoch: bool = True,
        verbose: bool = False,
        *,
        convert_to_iter_based: bool = False,
    ) -> None:
        refuse_conversion(convert_to_iter_based)
        super().__init__(
            optimizer,
            monitor,
            rule,
            factor,
            patience,
            threshold,
            threshold_rule,
            cooldown,
            min_value,
            eps,
            begin,
            end,
            last_step,
            by_epoch,
            verbose,
        )
