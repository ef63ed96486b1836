"""Repeat a value to a tuple of a length, as for kernel sizes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

__all__ = ["to_1tuple", "to_2tuple", "to_3tuple", "to_4tuple", "to_ntuple"]


def to_ntuple(n: int) -> Callable[[Any], Any]:
    """A function that repeats a value ``n`` times and passes iterables through unchanged.

    Args:
        n: Length of the tuple.
    """

    def repeated(x: Any) -> Any:
        return x if isinstance(x, Iterable) else (x,) * n

    return repeated


to_1tuple = to_ntuple(1)
to_2tuple = to_ntuple(2)
to_3tuple = to_ntuple(3)
to_4tuple = to_ntuple(4)
