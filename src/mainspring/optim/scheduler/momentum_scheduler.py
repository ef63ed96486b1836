"""Schedulers of the momentum, or of the first beta of optimizers like Adam."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from mainspring.errors import ConfigError
from mainspring.optim.scheduler.base import written_as
from mainspring.optim.scheduler.lr_scheduler import (
    ConstantLR,
    CosineAnnealingLR,
    CosineRestartLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    PolyLR,
    ReduceOnPlateauLR,
    StepLR,
)
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

P = ParamSpec("P")


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

    def _adopt(self, group: dict[str, Any]) -> None:
        if self.use_betas:
            group.setdefault("momentum", group["betas"][0])
        super()._adopt(group)  # type: ignore[misc]  # - of the scheduler class that follows

    def step(self, *args: Any, **kwargs: Any) -> None:
        """Take a step, and keep betas in line with the momentum; arguments as of the scheduler."""
        super().step(*args, **kwargs)  # type: ignore[misc]  # - of the scheduler class that follows
        if self.use_betas:
            for group in self.optimizer.param_groups:
                group["betas"] = (group["momentum"], *group["betas"][1:])


def _taking_what(
    init: Callable[Concatenate[Any, P], None],
) -> Callable[[Callable[..., None]], Callable[Concatenate[Any, P], None]]:
    """A constructor that takes what another one takes, and leaves it to the mixin."""
    constructor: Callable[Concatenate[Any, P], None]
    constructor = written_as(init, MomentumSchedulerMixin.__init__)
    return lambda _: constructor


@PARAM_SCHEDULERS.register_module()
class ConstantMomentum(MomentumSchedulerMixin, ConstantParamScheduler):
    """Scales the momentum by a factor until the end; see `ConstantParamScheduler`."""

    @_taking_what(ConstantLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class CosineAnnealingMomentum(MomentumSchedulerMixin, CosineAnnealingParamScheduler):
    """Lowers the momentum along half a cosine; see `CosineAnnealingParamScheduler`."""

    @_taking_what(CosineAnnealingLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class ExponentialMomentum(MomentumSchedulerMixin, ExponentialParamScheduler):
    """Scales the momentum by a factor at every step; see `ExponentialParamScheduler`."""

    @_taking_what(ExponentialLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class LinearMomentum(MomentumSchedulerMixin, LinearParamScheduler):
    """Scales the momentum along a line; see `LinearParamScheduler`."""

    @_taking_what(LinearLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class MultiStepMomentum(MomentumSchedulerMixin, MultiStepParamScheduler):
    """Scales the momentum by a factor at each milestone; see `MultiStepParamScheduler`."""

    @_taking_what(MultiStepLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class StepMomentum(MomentumSchedulerMixin, StepParamScheduler):
    """Scales the momentum by a factor every few steps; see `StepParamScheduler`."""

    @_taking_what(StepLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class PolyMomentum(MomentumSchedulerMixin, PolyParamScheduler):
    """Lowers the momentum as a power of what is left; see `PolyParamScheduler`."""

    @_taking_what(PolyLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class CosineRestartMomentum(MomentumSchedulerMixin, CosineRestartParamScheduler):
    """Half a cosine, again and again; see `CosineRestartParamScheduler`."""

    @_taking_what(CosineRestartLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...


@PARAM_SCHEDULERS.register_module()
class ReduceOnPlateauMomentum(MomentumSchedulerMixin, ReduceOnPlateauParamScheduler):
    """Lowers it when a metric stops improving; see `ReduceOnPlateauParamScheduler`."""

    @_taking_what(ReduceOnPlateauLR.__init__)
    def __init__(self, *args: Any, **kwargs: Any) -> None: ...
