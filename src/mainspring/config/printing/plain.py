"""What stands in a printed config for a value that holds no others.

Some have a literal. Decimals, fractions, times, paths and patterns are written as the call that
makes them, and made again by it while a dump is read: they are of classes that a config file has
for real, so they are values there and no recorded calls. Builtin functions and types are written by
their name.
"""

from __future__ import annotations

import builtins
import datetime as dt
import decimal
import enum
import fractions
import functools
import keyword
import pathlib
import re
import unicodedata
from collections.abc import Callable
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.names.kinds import is_for_data

__all__ = [
    "DOTTED",
    "LITERALS",
    "MAKERS",
    "builtin_of",
    "call_of",
    "has_literal",
    "is_name",
    "is_scalar_of_numpy",
    "maker_path",
    "path_of",
    "plain",
]

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
    if isinstance(value, pathlib.PurePath):
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


def _none_type(value: None) -> type:
    if value is not None:
        raise TypeError("type takes None here")
    return type(None)


_PATHS = (pathlib.PurePath, pathlib.PurePosixPath, pathlib.PureWindowsPath)

MAKERS: dict[str, Callable[..., Any]] = {
    "builtins.slice": slice,
    "builtins.bytearray": bytearray,
    "builtins.type": _none_type,
    "datetime.date": dt.date,
    "datetime.datetime": dt.datetime,
    "datetime.time": dt.time,
    "datetime.timedelta": dt.timedelta,
    "datetime.timezone": dt.timezone,
    "decimal.Decimal": decimal.Decimal,
    "fractions.Fraction": fractions.Fraction,
    "pathlib.Path": pathlib.Path,
    **{f"pathlib.{kind.__name__}": kind for kind in _PATHS},
    "re.compile": re.compile,
}
"""What makes values, by its path."""


def maker_path(value: Any) -> str | None:
    """The path of one of `MAKERS` that is itself a value, such as the class `pathlib.Path`."""
    found = [path for path, maker in MAKERS.items() if maker is value] if callable(value) else []
    return next((path for path in found if not path.startswith("builtins.")), None)


@functools.cache
def builtin_of(name: str) -> Any:
    """A builtin function or type that configs may name; ``None`` if there is none of this name.

    Args:
        name: Such as ``float`` or ``len``.
    """
    found = getattr(builtins, name, None)
    return found if callable(found) and is_for_data(found) else None


def call_of(value: Any) -> tuple[str, tuple[Any, ...]] | None:
    """The path of what makes a value, and its arguments; ``None`` for values of other kinds.

    Args:
        value: Such as ``Decimal("0.1")``, which gives ``("decimal.Decimal", ("0.1",))``.
    """
    kind = type(value)
    if kind in LITERALS:
        return None
    path = f"{kind.__module__}.{kind.__name__}"
    if value is type(None):
        return "builtins.type", (None,)
    if kind in _ATTRIBUTES and not getattr(value, "fold", 0):
        return path, tuple(getattr(value, name) for name in _ATTRIBUTES[kind])
    if kind is dt.timezone:
        return path, value.__getinitargs__()
    if kind is bytearray:
        return path, (bytes(value),)
    if kind is decimal.Decimal or path == "torch.device":
        return path, (str(value),)
    if kind is re.Pattern:
        return "re.compile", (value.pattern, value.flags)
    if isinstance(value, pathlib.PurePath):
        path = f"pathlib.{'Path' if kind is type(pathlib.Path()) else kind.__name__}"
        return (path, (str(value),)) if path in MAKERS else None
    if kind.__module__ == "numpy.dtypes" and kind.__name__ != "VoidDType":
        return "numpy.dtype", (value.str,)
    is_numbers = path == "numpy.ndarray" and value.dtype.kind in "biufc"
    if is_numbers and value.ndim and value.size <= _MOST_NUMBERS:
        return "numpy.array", (value.tolist(), value.dtype.str)
    return None


_MOST_NUMBERS = 1000
"""Larger arrays are data, which belongs into a file."""

_DAY = ("year", "month", "day")
_CLOCK = ("hour", "minute", "second", "microsecond", "tzinfo")
_ATTRIBUTES: dict[type, tuple[str, ...]] = {
    slice: ("start", "stop", "step"),
    fractions.Fraction: ("numerator", "denominator"),
    dt.timedelta: ("days", "seconds", "microseconds"),
    dt.date: _DAY,
    dt.time: _CLOCK,
    dt.datetime: (*_DAY, *_CLOCK),
}
"""Of values that are made of a few others: the attributes that hold these."""
