"""Where two checkpoints differ, and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

import numpy as np
import torch
from torch import Tensor

from mainspring.logging.history_buffer import HistoryBuffer

__all__ = ["Comparison", "Difference", "compare", "compare_checkpoints"]

_LONGEST_VALUE = 60


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that two checkpoints hold differently.

    Attributes:
        path: Where it is, such as ``layer.weight`` or ``state.0.exp_avg``.
        left: The value in short, or data type and shape of a tensor.
        right: The same of the other one.
        largest: Largest absolute difference of the numbers; NaN if only one of two is NaN, ``None``
            where shapes or kinds differ.
        relative: `largest` divided by the largest absolute number of the first one.
        count: How many numbers differ.
    """

    path: str
    left: str
    right: str
    largest: float | None = None
    relative: float | None = None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two parts of checkpoints, compared value by value.

    Attributes:
        compared: How many values both hold.
        only_left: Paths that the second one lacks.
        only_right: Paths that the first one lacks.
        different: What differs: first where shapes or kinds do, then by size of the difference.
    """

    compared: int
    only_left: tuple[str, ...]
    only_right: tuple[str, ...]
    different: tuple[Difference, ...]

    @property
    def are_equal(self) -> bool:
        """Whether nothing differs."""
        return not (self.only_left or self.only_right or self.different)


def compare_checkpoints(left: Mapping[str, Any], right: Mapping[str, Any]) -> dict[str, Comparison]:
    """Compare everything that two checkpoints hold.

    Values that are NaN at the same place are equal.

    Args:
        left: One, or a plain state dict.
        right: The other.

    Returns:
        A comparison for each of their keys; ``state_dict`` first.
    """
    left, right = _with_sections(left), _with_sections(right)
    order = ["state_dict", "meta", *sorted((left.keys() | right.keys()) - {"state_dict", "meta"})]
    return {
        key: compare(left.get(key, {}), right.get(key, {}))
        for key in order
        if key in left or key in right
    }


def _with_sections(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    return checkpoint if "state_dict" in checkpoint else {"state_dict": checkpoint}


def compare(left: Any, right: Any) -> Comparison:
    """Compare two nests of dicts, lists, tensors and plain values.

    Args:
        left: One.
        right: The other.
    """
    here, there = dict(_leaves(left)), dict(_leaves(right))
    shared = [path for path in here if path in there]
    found = [_difference(path, here[path], there[path]) for path in shared]
    return Comparison(
        compared=len(shared),
        only_left=tuple(path for path in here if path not in there),
        only_right=tuple(path for path in there if path not in here),
        different=tuple(
            sorted((each for each in found if each is not None), key=_size, reverse=True)
        ),
    )


def _size(difference: Difference) -> tuple[int, float]:
    if difference.largest is None:
        return 2, 0.0
    return (1, 0.0) if math.isnan(difference.largest) else (0, difference.largest)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, HistoryBuffer):
        value = value.state_dict()
    elif isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        items: Any = value.items()
    elif isinstance(value, list | tuple):
        items = enumerate(value)
    else:
        yield path, value
        return
    for key, item in items:
        yield from _leaves(item, f"{path}.{key}" if path else str(key))


def _difference(path: str, left: Any, right: Any) -> Difference | None:
    if isinstance(left, Tensor) and isinstance(right, Tensor):
        return _tensor_difference(path, left, right)
    if _is_number(left) and _is_number(right):
        if left == right or (math.isnan(left) and math.isnan(right)):
            return None
        largest = float(abs(left - right))
        return Difference(path, repr(left), repr(right), largest, _ratio(largest, abs(left)))
    if type(left) is type(right) and not isinstance(left, Tensor) and left == right:
        return None
    return Difference(path, _short(left), _short(right))


def _tensor_difference(path: str, left: Tensor, right: Tensor) -> Difference | None:
    shown = _signature(left), _signature(right)
    if left.shape != right.shape:
        return Difference(path, *shown)
    one, other = _numbers(left), _numbers(right)
    same = (one == other) | ((one != one) & (other != other))  # noqa: PLR0124 - NaN
    if bool(same.all()):
        return None if shown[0] == shown[1] else Difference(path, *shown, 0.0, 0.0, 0)
    largest = float((one - other).abs().masked_fill_(same, 0).max())
    return Difference(
        path,
        *shown,
        largest,
        _ratio(largest, float(one.abs().nan_to_num_(nan=0.0).max())),
        int((~same).sum()),
    )


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(tensor: Tensor) -> Tensor:
    """The values in the widest type; differences of whole numbers beyond 2**53 are rounded."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    tensor = tensor.detach().to_dense() if tensor.layout != torch.strided else tensor.detach()
    return tensor.to(torch.complex128 if tensor.is_complex() else torch.float64)


def _ratio(difference: float, size: float) -> float:
    if difference == 0:
        return 0.0
    return difference / size if size else math.inf


def _signature(tensor: Tensor) -> str:
    return f"{str(tensor.dtype).removeprefix('torch.')} {tuple(tensor.shape)}"


def _short(value: Any) -> str:
    if isinstance(value, Tensor):
        return f"tensor {_signature(value)}"
    if isinstance(value, str) and "\n" in value:
        return f"text of {value.count(chr(10))} lines"
    text = repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."
