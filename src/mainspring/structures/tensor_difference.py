"""By how much two tensors differ."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = [
    "TensorDifference",
    "kind_of_tensor",
    "ratio",
    "relative_difference",
    "tensor_difference",
]

_INTEGERS = {1: torch.int8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True)
class TensorDifference:
    """How two tensors of one shape differ.

    Attributes:
        count: How many numbers differ.
        largest: Largest absolute difference; NaN if only one of two is NaN. Differences of whole
            numbers beyond 2**53 are rounded.
        relative: `largest` divided by the largest absolute number of the first.
        units: The same in units in the last place; ``None`` for other than real floating-point
            numbers of up to 32 bits.
    """

    count: int
    largest: float
    relative: float
    units: int | None = None


def kind_of_tensor(tensor: Tensor) -> str:
    """Type and shape, such as ``float32 (3, 4)``."""
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def tensor_difference(
    first: Tensor, second: Tensor, *, bits: bool = False
) -> TensorDifference | None:
    """How two tensors differ; NaN equals NaN.

    Args:
        first: A tensor.
        second: One of the same shape.
        bits: Compare bits, so that ``-0.0`` differs from ``0.0``; the types are then the same.

    Returns:
        The difference; ``None`` without one.
    """
    first, second = _plain(first), _plain(second)
    one, other = _wide(first), _wide(second)
    integers = None if first.is_complex() or not bits else _INTEGERS.get(first.element_size())
    unequal = one != other
    if integers is not None:
        unequal = first.view(integers) != second.view(integers)
    unequal &= ~((one != one) & (other != other))  # noqa: PLR0124 - NaN
    count = int(unequal.sum())
    if not count:
        return None
    largest = float((one[unequal] - other[unequal]).abs().max())
    size = float(one.abs().nan_to_num_(nan=0.0).max())
    units = None
    if integers in (torch.int16, torch.int32) and first.is_floating_point():
        steps = _ordered(first[unequal].view(integers)) - _ordered(second[unequal].view(integers))
        units = int(steps.abs().max()) if math.isfinite(largest) else None
    return TensorDifference(count, largest, ratio(largest, size), units)


def relative_difference(first: Tensor, second: Tensor, floor: float = 0.0) -> float:
    """Norm of the difference over the norm of the first, or over `floor` where that is larger.

    Args:
        first: A tensor.
        second: Another one; infinitely far away if its shape is another.
        floor: Norm below which a tensor counts as nothing but rounding.
    """
    if first.shape != second.shape:
        return math.inf
    one, other = _wide(_plain(first)), _wide(_plain(second))
    return ratio(float((one - other).norm()), max(float(one.norm()), floor))


def ratio(difference: float, size: float) -> float:
    """A difference as a part of a size; infinite where there is no size.

    Args:
        difference: The difference, at least 0.
        size: What it is measured by.
    """
    if difference == 0:
        return 0.0
    return difference / size if size else math.inf


def _plain(tensor: Tensor) -> Tensor:
    tensor = tensor.detach()
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    return tensor.contiguous().reshape(-1)


def _wide(tensor: Tensor) -> Tensor:
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _ordered(bits: Tensor) -> Tensor:
    """Integers that are ordered as the floating-point numbers with these bits."""
    sign = torch.iinfo(bits.dtype).min
    wide = bits.long()
    return torch.where(wide < 0, sign - wide, wide)
