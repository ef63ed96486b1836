"""Putting images of different sizes, and dicts, together."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

__all__ = ["merge_dict", "stack_batch"]


def stack_batch(
    tensor_list: list[torch.Tensor], pad_size_divisor: int = 1, pad_value: float = 0
) -> torch.Tensor:
    """Pad tensors at the end of every dimension but the first to one shape and stack them.

    Args:
        tensor_list: Tensors of equal rank and equal first size (channels), such as (C, H, W).
        pad_size_divisor: The padded sizes are multiples of it.
        pad_value: What the padding is filled with.

    Returns:
        One tensor, the batch first.

    Raises:
        AssertionError: No list, an empty one, or tensors of different rank or first size.
    """
    if not isinstance(tensor_list, list):
        raise AssertionError(f"Expected input type to be list, but got {type(tensor_list)}")
    if not tensor_list:
        raise AssertionError("`tensor_list` could not be an empty list")
    ranks = {tensor.dim() for tensor in tensor_list}
    if len(ranks) > 1:
        raise AssertionError(
            "Expected the dimensions of all tensors must be the same, but got "
            f"{[tensor.dim() for tensor in tensor_list]}"
        )
    shapes = [tensor.shape[1:] for tensor in tensor_list]
    target = [
        -(-max(sizes) // pad_size_divisor) * pad_size_divisor for sizes in zip(*shapes, strict=True)
    ]
    if all(list(shape) == target for shape in shapes):
        return torch.stack(tensor_list)
    padded = []
    for tensor in tensor_list:
        amounts: list[int] = []
        # F.pad counts dimensions from the last; the first (channels) stays as it is.
        for have, want in zip(reversed(tensor.shape[1:]), reversed(target), strict=True):
            amounts += [0, want - have]
        padded.append(F.pad(tensor, amounts, value=pad_value))
    return torch.stack(padded)


def merge_dict(*args: dict[Any, Any]) -> dict[Any, Any]:
    """Put dicts together; later ones win.

    Raises:
        AssertionError: An argument is no dict.
    """
    merged: dict[Any, Any] = {}
    for item in args:
        if not isinstance(item, dict):
            raise AssertionError(f"all arguments of merge_dict should be a dict, but got {item!r}")
        merged.update(item)
    return merged
