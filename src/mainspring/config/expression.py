"""Evaluate expressions of a dump, and of a command line, without running code.

Literals, displays, calls and dotted names are all there is. A call gives a `Node`, a name that is no
literal a reference; both are imported when they are built, if the allow-list has them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["evaluate_call"]


def evaluate_call(text: str) -> Any:
    """The node that ``zoo.Swin(depth=2)`` records.

    Args:
        text: A call, or a dotted name, with literals and further calls as arguments.

    Raises:
        ConfigError: It is anything else.
    """
    raise NotImplementedError
