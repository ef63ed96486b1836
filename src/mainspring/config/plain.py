"""What stands in a printed config for a value that has no literal of its own."""

from __future__ import annotations

import enum
import keyword
import re
import unicodedata
from pathlib import PurePath
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path

__all__ = ["DOTTED", "LITERALS", "has_literal", "is_name", "is_scalar_of_numpy", "path_of", "plain"]

DOTTED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+")
"""A path such as ``torch.float32``."""


LITERALS = (type(None), bool, int, float, complex, str, bytes, range)


def is_name(key: object) -> bool:
    """Whether a key can be the name of a variable or argument, exactly as it is."""
    if not isinstance(key, str) or not key.isidentifier() or keyword.iskeyword(key):
        return False
    # Python normalises the names that it reads.
    return key.isascii() or unicodedata.normalize("NFKC", key) == key


def has_literal(value: Any) -> bool:
    """Whether `plain` gives the value itself, or the number or text that it is.

    Args:
        value: Any value that holds no others.
    """
    return isinstance(value, LITERALS) or is_scalar_of_numpy(value)


def is_scalar_of_numpy(value: Any) -> bool:
    """Whether a value is a number of numpy, which is written as one of Python."""
    is_scalar = type(value).__module__ == "numpy" and getattr(value, "ndim", None) == 0
    return is_scalar and type(value.item()) in LITERALS


def plain(value: Any) -> Any:
    """A value that has a literal in Python: the value itself, or a string that stands for it.

    Args:
        value: Any value that holds no others.

    Returns:
        Numbers, strings, bytes, sets, ranges and ``None`` as they are, without their subclasses;
        dotted paths for classes, functions and names that are not imported yet; for other objects
        their class in angle brackets.
    """
    if value is ... or type(value) in LITERALS:
        return value
    if isinstance(value, LazyObject | LazyAttr):
        return dotted_path(value)
    if isinstance(value, enum.Enum):
        return f"{path_of(type(value))}.{value.name}"
    kinds: tuple[Any, ...] = (int, float, complex, str, bytes)
    for kind in kinds:
        if isinstance(value, kind):
            return kind(value)
    if type(value) in (set, frozenset):
        return value
    if isinstance(value, PurePath):
        return str(value)
    path = path_of(value)
    if path is not None:
        return path
    kind = type(value)
    if is_scalar_of_numpy(value):
        return value.item()
    if kind.__module__ == "datetime":
        return str(value)
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a config is printed in logs, which must not fail
        text = ""
    # torch prints `torch.float32` for a dtype and so on: a path that can be imported.
    return text if DOTTED.fullmatch(text) else f"<{kind.__module__}.{kind.__qualname__} object>"


def path_of(value: Any) -> str | None:
    """The dotted path of a class, function or method; ``None`` for other values."""
    name = getattr(value, "__qualname__", None)
    if not isinstance(name, str):
        return None
    module = getattr(value, "__module__", None)
    if module is None:
        owner = getattr(value, "__self__", None)
        module = getattr(type(owner), "__module__", None) if owner is not None else None
    return f"{module}.{name}" if isinstance(module, str) else name
