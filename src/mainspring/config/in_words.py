"""Values of a config in one line, as one would write them."""

from __future__ import annotations

from typing import Any

from mainspring.config.diff import LateType
from mainspring.config.dump import plain
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.sweep import Sweep
from mainspring.output import Secret, masked, printable
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["entries_of", "in_one_line", "value_text"]


def in_one_line(value: Any, limit: int | None = None) -> str:
    """A value as one would write it in a config, with full names for classes.

    Nothing is imported.

    Args:
        value: Any value of a config.
        limit: Longest text; a longer one is cut.
    """
    text = printable(value_text(value))
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 4]} ..."
    return text


def value_text(value: Any) -> str:
    """A value in one line; control characters stay as they are.

    Args:
        value: Any value of a config.
    """
    if isinstance(value, dict | list | tuple):
        opening, entries, closing = entries_of(value)
        inner = ", ".join(f"{prefix}{value_text(item)}" for prefix, item in entries)
        comma = "," if isinstance(value, tuple) and len(entries) == 1 else ""
        return f"{opening}{inner}{comma}{closing}"
    if isinstance(value, LazyObject | LazyAttr):
        return dotted_path(value)
    if isinstance(value, LateType):
        return f"later({value_text(value.target)})"
    if isinstance(value, Sweep):
        return repr(value)
    if isinstance(value, Secret):
        return f"env({value.variable!r})"
    shown = plain(value)
    if isinstance(shown, str):
        shown = masked(shown)
    # A class is shown by its name, which is no string of the config.
    return shown if isinstance(shown, str) and not isinstance(value, str) else repr(shown)


def entries_of(value: Any) -> tuple[str, list[tuple[str, Any]], str]:
    """What a container begins with, its items with what precedes them, and what it ends with.

    Args:
        value: A dict, list or tuple of a config.
    """
    if isinstance(value, list | tuple):
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
        return opening, [("", item) for item in value], closing
    items = dict(dict.items(value))
    if isinstance(value, Node):
        target = value_text(items.pop("type"))
        positional = items.pop(POSITIONAL_KEY, [])
        entries = [("", item) for item in positional]
        entries += [(f"{key}=", item) for key, item in items.items()]
        return f"later({target})(" if value.is_late else f"{target}(", entries, ")"
    if all(isinstance(key, str) and key.isidentifier() for key in items):
        return "dict(", [(f"{key}=", item) for key, item in items.items()], ")"
    return "{", [(f"{key!r}: ", item) for key, item in items.items()], "}"
