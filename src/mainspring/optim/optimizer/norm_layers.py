"""Which layers of a model normalise."""

from __future__ import annotations

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

__all__ = ["has_batch_norm", "is_norm"]


def is_norm(layer: nn.Module, exclude: type | tuple[type, ...] | None = None) -> bool:
    """Whether a layer normalises: batch, instance, group or layer norm.

    Args:
        layer: The layer.
        exclude: Type, or types, that do not count.

    Raises:
        TypeError: If ``exclude`` is something else.
    """
    excluded = () if exclude is None else exclude if isinstance(exclude, tuple) else (exclude,)
    if not all(isinstance(kind, type) for kind in excluded):
        raise TypeError(
            f'"exclude" must be either None or type or a tuple of types, but is {exclude!r}'
        )
    if isinstance(layer, excluded):
        return False
    return isinstance(layer, _BatchNorm | _InstanceNorm | nn.GroupNorm | nn.LayerNorm)


def has_batch_norm(model: nn.Module) -> bool:
    """Whether a model, or a part of it, is a batch norm."""
    return any(isinstance(module, _BatchNorm) for module in model.modules())
