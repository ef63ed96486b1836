"""Whether two data sets say the same of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["is_same"]


def is_same(first: Any, second: Any) -> bool:
    """Whether two pieces of meta information hold the same, in containers of whatever kind.

    A tuple, a list, an array and a tensor of the same values are the same, and so is NaN.

    Args:
        first: Meta information, or an entry of it.
        second: The other one.
    """
    first, second = _in_lists(first), _in_lists(second)
    try:
        if first == second:
            return True
    except (ValueError, TypeError, RuntimeError):
        pass  # things of a kind that does not compare
    return repr(first) == repr(second)


def _in_lists(value: Any) -> Any:
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {key: _in_lists(item) for key, item in value.items()}
    if isinstance(value, set | frozenset):
        return sorted((_in_lists(item) for item in value), key=repr)
    return [_in_lists(item) for item in value] if isinstance(value, list | tuple) else value
