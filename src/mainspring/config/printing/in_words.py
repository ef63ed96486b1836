"""Values of a config as one would write them, for people to read."""

from __future__ import annotations

from typing import Any

from mainspring.config.diff import LateType
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.printing.dump import plain
from mainspring.config.printing.printer import Printer
from mainspring.config.sweep import Sweep
from mainspring.output import Secret, masked, printable

__all__ = ["in_lines", "in_one_line"]


def in_one_line(value: Any, limit: int | None = None) -> str:
    """A value as one would write it in a config, with full names for classes.

    Nothing is imported.

    Args:
        value: Any value of a config.
        limit: Longest text; a longer one is cut.
    """
    text = printable(_Words().flat(value))
    if limit is not None and len(text) > limit:
        return f"{text[: limit - 4]} ..."
    return text


def in_lines(value: Any, used: int = 0) -> str:
    """A value in as many lines as it needs.

    Args:
        value: Any value of a config.
        used: Characters that precede it on the first line.
    """
    return _Words().text(value, 0, used)


class _Words(Printer):
    """Calls everything by its full name; control characters stay as they are."""

    def callee(self, value: dict[Any, Any]) -> str | None:
        return self.flat(dict.get(value, "type")) if isinstance(value, Node) else None

    def leaf(self, value: Any, how: Any = None) -> str:
        if isinstance(value, LazyObject | LazyAttr):
            return dotted_path(value)
        if isinstance(value, LateType):
            return f"later({self.flat(value.target)})"
        if isinstance(value, Sweep):
            return repr(value)
        if isinstance(value, Secret):
            return f"env({value.variable!r})"
        shown = plain(value)
        # A class is shown by its name, which is no string of the config.
        is_name = isinstance(shown, str) and not isinstance(value, str)
        return masked(shown) if is_name else self.literal(shown)
