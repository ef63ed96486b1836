"""Between batch norm of one process and of all processes."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from mainspring.errors import mark_user_mistake

__all__ = ["convert_sync_batchnorm", "revert_sync_batchnorm"]


class _BatchNormXd(_BatchNorm):
    """Batch norm for inputs of any number of dimensions, as `torch.nn.SyncBatchNorm` takes them."""

    def _check_input_dim(self, input: torch.Tensor) -> None:  # noqa: A002 - torch's name
        """Accept every input."""


def revert_sync_batchnorm(module: nn.Module) -> nn.Module:
    """Replace synchronised batch norm by the ordinary one, everywhere in a module.

    `torch.nn.SyncBatchNorm` and mmcv's are recognised. Parameters, statistics and the training flag
    are taken over, not copied.

    Args:
        module: Changed in place, unless it is a synchronised batch norm itself.

    Returns:
        The module, or what replaces it.
    """
    if isinstance(module, _sync_classes()):
        return _take_over(_BatchNormXd, module)
    for name, child in module.named_children():
        replaced = revert_sync_batchnorm(child)
        if replaced is not child:
            setattr(module, name, replaced)
    return module


def convert_sync_batchnorm(
    module: nn.Module, implementation: Literal["torch", "mmcv"] = "torch"
) -> nn.Module:
    """Replace batch norm by the synchronised one, everywhere in a module.

    Args:
        module: Changed in place, unless it is a batch norm itself.
        implementation: ``"torch"`` or, where mmcv is installed, ``"mmcv"``.

    Raises:
        ValueError: Another implementation.
    """
    if implementation == "torch":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]  # - torch's
        return converted
    if implementation != "mmcv":
        raise mark_user_mistake(
            ValueError(f'sync_bn should be "torch" or "mmcv", but got {implementation!r}')
        )
    from mmcv.ops import SyncBatchNorm

    return _convert(module, SyncBatchNorm)


def _convert(module: nn.Module, kind: Any) -> nn.Module:
    if isinstance(module, _BatchNorm) and not isinstance(module, kind):
        return _take_over(kind, module)
    for name, child in module.named_children():
        replaced = _convert(child, kind)
        if replaced is not child:
            setattr(module, name, replaced)
    return module


def _take_over(kind: Any, norm: Any) -> nn.Module:
    """A norm layer of another kind with the parameters and state of `norm`."""
    created: nn.Module = kind(
        norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats
    )
    for name in created._parameters:
        created._parameters[name] = norm._parameters.get(name)
    for name in created._buffers:
        created._buffers[name] = norm._buffers.get(name)
    if hasattr(norm, "qconfig"):
        created.qconfig = norm.qconfig
    return created.train(norm.training)


def _sync_classes() -> tuple[type, ...]:
    try:
        from mmcv.ops import SyncBatchNorm
    except ImportError:
        return (nn.SyncBatchNorm,)
    return (nn.SyncBatchNorm, SyncBatchNorm)
