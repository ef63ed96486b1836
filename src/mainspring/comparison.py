"""Compare named values: what only one side has, what differs, and both in few words."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from numbers import Real
from typing import Any, Final, TypeGuard

__all__ = ["MISSING", "different", "in_short", "is_number", "pairs", "same_numbers"]


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING: Final = _Missing()
"""Stands for the value of a name that one side lacks."""

Pair = tuple[Any, Any, Any]
"""A name, and its values in the first and in the second."""


def pairs(
    left: Mapping[Any, Any], right: Mapping[Any, Any], missing: Any = MISSING
) -> Iterator[Pair]:
    """All names with both values: those of the first in its order, then what only the second has.

    Args:
        left: One side.
        right: The other.
        missing: Stands for the value of a name that a side lacks.
    """
    for name in dict.fromkeys([*left, *right]):
        yield name, left.get(name, missing), right.get(name, missing)


def different(
    left: Mapping[Any, Any],
    right: Mapping[Any, Any],
    same: Callable[[Any, Any], bool] = operator.eq,
    missing: Any = MISSING,
) -> list[Pair]:
    """The names at which two sides differ, with both values, in the order of `pairs`.

    Args:
        left: One side.
        right: The other.
        same: Whether two values are the same; asked only where both sides have one.
        missing: Stands for the value of a name that a side lacks.
    """
    return [
        (name, one, other)
        for name, one, other in pairs(left, right, missing)
        if one is missing or other is missing or not same(one, other)
    ]


def is_number(value: Any) -> TypeGuard[float]:
    """Whether a value is a real number, of Python or NumPy, and no truth value."""
    kind = type(value)
    return kind is float or kind is int or (isinstance(value, Real) and kind is not bool)


def same_numbers(one: float, other: float) -> bool:
    """Whether two numbers are equal; NaN equals NaN."""
    return one == other or (math.isnan(one) and math.isnan(other))


def in_short(value: Any, longest: int = 60) -> str:
    """A value in one line that is not too long.

    Args:
        value: Any value; of a text its own characters are shown.
        longest: Characters after which it is cut.
    """
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= longest else f"{text[: longest - 3]}..."
