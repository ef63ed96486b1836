"""Weights for other programs: renamed, cast, and without memory that they do not use."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mainspring.checkpoint.contents import listed
from mainspring.errors import CheckpointError, did_you_mean

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
    taken = _below(state, prefix)
    converted: dict[tuple[Any, ...], Tensor] = {}
    exported: OrderedDict[str, Any] = OrderedDict()
    overflowing = []
    for name, value in taken.items():
        if not isinstance(value, Tensor):
            exported[name] = value
            continue
        key = _identity(value)
        if key not in converted:
            converted[key] = _converted(value, dtype)
        if _overflows(value, converted[key]):
            overflowing.append(name)
        exported[name] = converted[key]
    if overflowing:
        raise CheckpointError(
            f"numbers of {listed(overflowing)} are too large for {dtype}",
            help="bf16 has the range of fp32",
        )
    if not prefix and hasattr(state, "_metadata"):
        exported._metadata = state._metadata  # type: ignore[attr-defined]  # - torch keeps versions there
    return exported


def _below(state: Mapping[str, Any], prefix: str) -> Mapping[str, Any]:
    if not prefix:
        return state
    start = prefix if prefix.endswith(".") else f"{prefix}."
    found = {name[len(start) :]: v for name, v in state.items() if name.startswith(start)}
    if not found:
        tops = sorted({name.split(".", 1)[0] for name in state})
        raise CheckpointError(
            f"no weight starts with {start!r}",
            help=did_you_mean(start[:-1], tops) or f"weights start with {listed(tops)}",
        )
    return found


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


def _overflows(tensor: Tensor, converted: Tensor) -> bool:
    if converted.dtype == tensor.dtype:
        return False
    return bool((converted.isinf() & ~tensor.isinf()).any())
