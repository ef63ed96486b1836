"""Whether a model is wrapped for several processes."""

from __future__ import annotations

from torch import nn
from torch.nn.parallel import DataParallel, DistributedDataParallel

from mainspring.registry import MODEL_WRAPPERS, Registry

__all__ = ["is_model_wrapper"]

MODEL_WRAPPERS.register_module(module=DataParallel)
MODEL_WRAPPERS.register_module(module=DistributedDataParallel)


def is_model_wrapper(model: nn.Module, registry: Registry = MODEL_WRAPPERS) -> bool:
    """Whether the class of a model is registered as a wrapper, here or in a child registry.

    Args:
        model: The model.
        registry: Where wrappers are registered.
    """
    classes = tuple(item for item in registry.module_dict.values() if isinstance(item, type))
    if isinstance(model, classes):
        return True
    return any(is_model_wrapper(model, child) for child in registry.children.values())
