"""MMEngine's path of what it has for ColossalAI."""

from __future__ import annotations

from mainspring._strategy.missing import Missing
from mainspring.optim import OptimWrapper
from mainspring.registry import MODEL_WRAPPERS, OPTIM_WRAPPERS, STRATEGIES, Registry
from mainspring.runner.strategies import SingleDeviceStrategy

__all__ = [
    "MIXED_PRECISIONS",
    "PLUGINS",
    "ColossalAIModelWrapper",
    "ColossalAIOptimWrapper",
    "ColossalAIStrategy",
    "register_mixed_precisions",
    "register_optimizers",
    "register_plugins",
]

PLUGINS = Registry("plugin", scope="mainspring")
MIXED_PRECISIONS = Registry("mixed_precision", scope="mainspring")


def register_plugins() -> list[str]:
    """Names of ColossalAI's plugins that were registered: none."""
    return []


def register_mixed_precisions() -> list[str]:
    """Names of ColossalAI's precisions that were registered: none."""
    return []


def register_optimizers() -> list[str]:
    """Names of ColossalAI's optimizers that were registered: none."""
    return []


@OPTIM_WRAPPERS.register_module()
class ColossalAIOptimWrapper(Missing, OptimWrapper):
    """An optimizer wrapper for ColossalAI, which is missing."""


@MODEL_WRAPPERS.register_module(name=["ColossalAIModelWrapper", "CollosalAIModelWrapper"])
class ColossalAIModelWrapper(Missing):
    """A model wrapper for ColossalAI, which is missing."""


@STRATEGIES.register_module()
class ColossalAIStrategy(Missing, SingleDeviceStrategy):
    """A strategy for ColossalAI, which is missing."""
