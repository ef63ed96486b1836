"""Optimizers and the wrappers that use them."""

from typing import TYPE_CHECKING, Any

from torch.optim.optimizer import ParamsT

from mainspring.optim.optimizer import optimizers as _optimizers
from mainspring.optim.optimizer.amp_optim_wrapper import AmpOptimWrapper
from mainspring.optim.optimizer.apex_optim_wrapper import ApexOptimWrapper
from mainspring.optim.optimizer.base import BaseOptimWrapper
from mainspring.optim.optimizer.constructor import (
    DefaultOptimWrapperConstructor,
    build_optim_wrapper,
)
from mainspring.optim.optimizer.muon import Muon
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.optim.optimizer.optim_wrapper_dict import OptimWrapperDict
from mainspring.registry import OPTIM_WRAPPER_CONSTRUCTORS, OPTIMIZERS

if TYPE_CHECKING:
    from mainspring.optim.optimizer.zero_optimizer import ZeroRedundancyOptimizer

__all__ = [
    "OPTIMIZERS",
    "OPTIM_WRAPPER_CONSTRUCTORS",
    "AmpOptimWrapper",
    "Muon",
    "ApexOptimWrapper",
    "BaseOptimWrapper",
    "DefaultOptimWrapperConstructor",
    "OptimWrapper",
    "OptimWrapperDict",
    "ZeroRedundancyOptimizer",
    "build_optim_wrapper",
]


def _zero_redundancy_optimizer(params: ParamsT, optimizer_type: str, **kwargs: Any) -> Any:
    """Make a `ZeroRedundancyOptimizer`, importing torch's distributed optimizers only now."""
    from mainspring.optim.optimizer.zero_optimizer import ZeroRedundancyOptimizer

    return ZeroRedundancyOptimizer(params, optimizer_type, **kwargs)


OPTIMIZERS.register_module(name="ZeroRedundancyOptimizer", module=_zero_redundancy_optimizer)
del _optimizers


def __getattr__(name: str) -> Any:
    if name == "ZeroRedundancyOptimizer":
        from mainspring.optim.optimizer.zero_optimizer import ZeroRedundancyOptimizer

        return ZeroRedundancyOptimizer
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
