"""Walk over nested dicts, lists and tuples as they are: nothing in them is imported or built."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

__all__ = ["items_of", "parts_of", "paths_of"]


def items_of(part: Any) -> list[tuple[Any, Any]]:
    """Keys and values of a dict, indices and items of a list or tuple; of anything else nothing."""
    if isinstance(part, dict):
        return list(dict.items(part))
    return list(enumerate(part)) if isinstance(part, list | tuple) else []


def parts_of(value: Any) -> Iterator[Any]:
    """A value and all that it holds, outer parts first.

    Args:
        value: Any value.
    """
    yield value
    for _, item in items_of(value):
        if isinstance(item, dict | list | tuple):
            yield from parts_of(item)
        else:
            yield item


def paths_of(value: Any, prefix: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """The keys that lead to all that a value holds, with what is there, outer parts first.

    Args:
        value: Any value.
        prefix: What each path begins with.
    """
    for key, item in items_of(value):
        path = (*prefix, key)
        yield path, item
        if isinstance(item, dict | list | tuple):
            yield from paths_of(item, path)
