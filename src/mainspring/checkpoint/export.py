"""Weights for other programs: renamed, cast, and without memory that they do not use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint.contents import listed, weights_below, weights_like
from mainspring.errors import CheckpointError

__all__ = ["DTYPES", "export_weights"]

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def export_weights(
    state: Mapping[str, Any], *, prefix: str = "", dtype: torch.dtype | None = None
) -> OrderedDict[str, Any]:
    """Take weights out of a state dict.

    Names that shared a tensor still do.

    Args:
        state: Weights by name.
        prefix: Take only names below it, such as ``backbone.``, and cut it off.
        dtype: Type of real floating-point weights; others keep theirs. As they are by default.

    Raises:
        CheckpointError: No name starts with the prefix, or a number is too large for the type.
    """
    taken = weights_below(state, prefix) if prefix else state
    converted: dict[tuple[Any, ...], Tensor] = {}
    exported = weights_like({} if prefix else state, ())
    overflowing = []
    for name, value in taken.items():
        if not isinstance(value, Tensor):
            exported[name] = value
            continue
        key = _identity(value)
        if key not in converted:
            converted[key] = _converted(value, dtype)
        exported[name] = made = converted[key]
        if made.dtype != value.dtype and (made.isinf() & ~value.isinf()).any():
            overflowing.append(name)
    if overflowing:
        raise CheckpointError(
            f"numbers of {listed(overflowing)} are too large for {dtype}",
            help="bf16 has the range of fp32",
        )
    return exported


def _identity(tensor: Tensor) -> tuple[Any, ...]:
    """Equal for tensors that are the same part of the same memory."""
    if tensor.layout != torch.strided or tensor.numel() == 0:
        return (id(tensor),)
    return (
        tensor.untyped_storage().data_ptr(),
        tensor.storage_offset(),
        tensor.shape,
        tensor.stride(),
        tensor.dtype,
    )


def _converted(tensor: Tensor, dtype: torch.dtype | None) -> Tensor:
    tensor = tensor.detach()
    if dtype is not None and tensor.is_floating_point() and tensor.dtype != dtype:
        return tensor.to(dtype)
    if tensor.layout == torch.strided and tensor.nbytes < tensor.untyped_storage().nbytes():
        # A view would be written with all of the memory that it looks at.
        return tensor.clone()
    return tensor
