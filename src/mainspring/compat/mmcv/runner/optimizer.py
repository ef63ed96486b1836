"""Optimizers from dicts."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from torch import nn
from torch.optim import Optimizer

from mainspring.optim import DefaultOptimWrapperConstructor
from mainspring.registry import OPTIMIZERS, Registry

__all__ = [
    "OPTIMIZERS",
    "OPTIMIZER_BUILDERS",
    "DefaultOptimizerConstructor",
    "build_optimizer",
    "build_optimizer_constructor",
]

OPTIMIZER_BUILDERS = Registry("mmcv optimizer builder", scope="mainspring")


@OPTIMIZER_BUILDERS.register_module()
class DefaultOptimizerConstructor:
    """Makes the optimizer of a model, with settings for single parameters if asked for.

    Args:
        optimizer_cfg: ``type`` and arguments of the optimizer.
        paramwise_cfg: Settings for single parameters, such as ``dict(norm_decay_mult=0)``.
    """

    def __init__(
        self, optimizer_cfg: Mapping[str, Any], paramwise_cfg: Mapping[str, Any] | None = None
    ) -> None:
        described = {"type": "OptimWrapper", "optimizer": dict(optimizer_cfg)}
        self._constructor = DefaultOptimWrapperConstructor(described, paramwise_cfg)

    def __call__(self, model: nn.Module) -> Optimizer:
        """The optimizer of a model."""
        optimizer: Optimizer = self._constructor(model).optimizer
        return optimizer


def build_optimizer_constructor(cfg: Mapping[str, Any]) -> Any:
    """Build what makes optimizers."""
    return OPTIMIZER_BUILDERS.build(cfg)


def build_optimizer(model: nn.Module, cfg: Mapping[str, Any]) -> Any:
    """Build the optimizer of a model.

    Args:
        model: The model.
        cfg: ``type`` and arguments; ``paramwise_cfg`` and ``constructor`` may be among them.
    """
    optimizer_cfg = copy.deepcopy(dict(cfg))
    constructor = optimizer_cfg.pop("constructor", "DefaultOptimizerConstructor")
    paramwise_cfg = optimizer_cfg.pop("paramwise_cfg", None)
    arguments = {"optimizer_cfg": optimizer_cfg, "paramwise_cfg": paramwise_cfg}
    return build_optimizer_constructor({"type": constructor, **arguments})(model)
