"""Policies of momenta, or of the first beta of optimizers such as Adam."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from typing import Any

from mainspring.compat.mmcv.runner.hooks import lr_updater
from mainspring.errors import ConfigError

__all__ = [
    "CosineAnnealingMomentumUpdaterHook",
    "CyclicMomentumUpdaterHook",
    "LinearAnnealingMomentumUpdaterHook",
    "MomentumUpdaterHook",
    "OneCycleMomentumUpdaterHook",
    "StepMomentumUpdaterHook",
]


class MomentumUpdaterHook(lr_updater.Updater):
    """Base of the policies; a derived class defines ``get_momentum(runner, base_momentum)``.

    Args:
        **kwargs: Those of `Updater`; `warmup_ratio` is 0.9 by default.
    """

    setting = "momentum"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"warmup_ratio": 0.9, **kwargs})

    def get_momentum(self, runner: Any, base_momentum: Any) -> float:
        """The momentum of a group from its first one, at this point of the run."""
        return self.value(base_momentum, *self.progress(runner))


class StepMomentumUpdaterHook(MomentumUpdaterHook, lr_updater.Steps):
    """Multiplies the momentum by `gamma` at some points; see `Steps`."""

    gamma = 0.5


class CosineAnnealingMomentumUpdaterHook(MomentumUpdaterHook, lr_updater.Annealing):
    """Goes along half a cosine; see `Annealing`."""


class LinearAnnealingMomentumUpdaterHook(MomentumUpdaterHook, lr_updater.Annealing):
    """Goes along a line; see `Annealing`."""

    anneal_strategy = "linear"


class CyclicMomentumUpdaterHook(MomentumUpdaterHook, lr_updater.Cyclic):
    """Goes down and up several times; see `Cyclic`."""

    ratios = (0.85 / 0.95, 1)


class OneCycleMomentumUpdaterHook(MomentumUpdaterHook, lr_updater.OneCycle):
    """Goes from `max_momentum` to `base_momentum` and back once over the run; see `OneCycle`.

    Args:
        base_momentum: The lowest momentum, one for all groups or each, or by name of optimizer.
        max_momentum: The highest one.
        **kwargs: Those of `OneCycle`.
    """

    def __init__(self, base_momentum: Any = 0.85, max_momentum: Any = 0.95, **kwargs: Any) -> None:
        for name, value in (("base_momentum", base_momentum), ("max_momentum", max_momentum)):
            if not isinstance(value, float | list | dict):
                raise ConfigError(f"{name} must be the type among of float, list or dict.")
        self._lowest, self._highest = base_momentum, max_momentum
        super().__init__(**kwargs)

    def before_run(self, runner: Any) -> None:
        ends = [lr_updater.values_for(runner, one) for one in (self._lowest, self._highest)]
        for group, low, high in zip(lr_updater.groups_of(runner), *ends, strict=True):
            if not {"momentum", "betas"} & group.keys():
                raise ConfigError("optimizer must support momentum with option enabled")
            self.write(group, high)
            group["base_momentum"], group["max_momentum"] = low, high

    def regular(self, runner: Any) -> list[float]:
        # Groups hold their lowest and highest momentum, so that a run that is continued has them.
        self._base = lr_updater.groups_of(runner)
        return super().regular(runner)

    def value(self, base: Any, done: int, whole: int) -> float:
        low, high = base["base_momentum"], base["max_momentum"]
        return self.at(done, whole, high, low, high)
