"""MMEngine's path of what it has for DeepSpeed."""

from __future__ import annotations

from mainspring._strategy.missing import Missing
from mainspring.optim import BaseOptimWrapper
from mainspring.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS, STRATEGIES
from mainspring.runner.strategies import SingleDeviceStrategy

__all__ = [
    "DeepSpeedOptimWrapper",
    "DeepSpeedStrategy",
    "MMDeepSpeedEngineWrapper",
    "register_deepspeed_optimizers",
]


def register_deepspeed_optimizers() -> list[str]:
    """Names of DeepSpeed's optimizers that were registered: none."""
    return []


@OPTIM_WRAPPERS.register_module()
class DeepSpeedOptimWrapper(Missing, BaseOptimWrapper):
    """An optimizer wrapper for DeepSpeed, which is missing."""


@MODEL_WRAPPERS.register_module()
class MMDeepSpeedEngineWrapper(Missing):
    """A model wrapper for DeepSpeed, which is missing."""


@STRATEGIES.register_module()
class DeepSpeedStrategy(Missing, SingleDeviceStrategy):
    """A strategy for DeepSpeed, which is missing."""
