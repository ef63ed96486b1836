"""Change the leaves of nested data."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping
from typing import Any

__all__ = ["apply_to"]


def apply_to(data: Any, expr: Callable[[Any], bool], apply_func: Callable[[Any], Any]) -> Any:
    """Apply a function to the leaves of nested mappings, lists and tuples that fulfil a condition.

    Args:
        data: Nested data; mappings, lists, tuples and named tuples keep their types.
        expr: Condition on a leaf.
        apply_func: Function of a leaf that fulfils it.

    Returns:
        New containers; leaves that do not fulfil the condition are the same objects.
    """
    if isinstance(data, MutableMapping):
        converted = type(data)()
        for key, value in data.items():
            converted[key] = apply_to(value, expr, apply_func)
        return converted
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return type(data)(*(apply_to(value, expr, apply_func) for value in data))
    if isinstance(data, list | tuple):
        return type(data)(apply_to(value, expr, apply_func) for value in data)
    return apply_func(data) if expr(data) else data
