"""Where two checkpoints differ, and by how much."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from mainspring.comparison import MISSING, in_short, is_number, pairs, same_numbers
from mainspring.logging.history_buffer import HistoryBuffer
from mainspring.structures.tensor_difference import kind_of_tensor, ratio, tensor_difference

__all__ = ["Comparison", "Difference", "compare", "compare_checkpoints"]


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
    found = list(pairs(dict(_leaves(left)), dict(_leaves(right))))
    both = [pair for pair in found if pair[1] is not MISSING and pair[2] is not MISSING]
    different = filter(None, (_difference(*pair) for pair in both))

    def size(difference: Difference) -> tuple[int, float]:
        if difference.largest is None:
            return 2, 0.0
        return (1, 0.0) if math.isnan(difference.largest) else (0, difference.largest)

    return Comparison(
        compared=len(both),
        only_left=tuple(path for path, _, other in found if other is MISSING),
        only_right=tuple(path for path, one, _ in found if one is MISSING),
        different=tuple(sorted(different, key=size, reverse=True)),
    )


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
    both_tensors = isinstance(left, Tensor) and isinstance(right, Tensor)
    if both_tensors and left.shape == right.shape:
        shown = kind_of_tensor(left), kind_of_tensor(right)
        found = tensor_difference(left, right)
        if found is None:
            return None if shown[0] == shown[1] else Difference(path, *shown, 0.0, 0.0, 0)
        return Difference(path, *shown, found.largest, found.relative, found.count)
    if is_number(left) and is_number(right):
        if same_numbers(left, right):
            return None
        largest = float(abs(left - right))
        return Difference(path, repr(left), repr(right), largest, ratio(largest, abs(left)))
    if type(left) is type(right) and not isinstance(left, Tensor) and left == right:
        return None
    return Difference(path, _shown(left, both_tensors), _shown(right, both_tensors))


def _shown(value: Any, both_tensors: bool) -> str:
    if isinstance(value, Tensor):
        return f"{'' if both_tensors else 'tensor '}{kind_of_tensor(value)}"
    if isinstance(value, str) and "\n" in value:
        return f"text of {value.count(chr(10))} lines"
    return in_short(repr(value))
