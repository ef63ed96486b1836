"""Values that are written down as a call, and made again by it while a dump is read.

They are of classes that a config file has for real, so they are values there and no recorded calls:
decimals, fractions, times, paths, patterns. Builtin functions and types are written by their name.
"""

from __future__ import annotations

import builtins
import datetime as dt
import decimal
import fractions
import functools
import pathlib
import re
from collections.abc import Callable
from typing import Any

from mainspring.names.kinds import is_for_data

__all__ = ["MAKERS", "builtin_of", "call_of", "maker_path"]


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

_PATH_OF: dict[Any, str] = {
    maker: path for path, maker in MAKERS.items() if not path.startswith("builtins.")
}


def maker_path(value: Any) -> str | None:
    """The path of one of `MAKERS` that is itself a value, such as the class `pathlib.Path`."""
    try:
        return _PATH_OF.get(value)
    except TypeError:
        return None


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
    if value is type(None):
        return "builtins.type", (None,)
    parts = _PARTS.get(type(value))
    if parts is not None:
        return parts(value)
    if isinstance(value, pathlib.PurePath):
        name = "Path" if type(value) is type(pathlib.Path()) else type(value).__name__
        return (f"pathlib.{name}", (str(value),)) if f"pathlib.{name}" in MAKERS else None
    kind = type(value)
    if kind.__module__ == "torch" and kind.__name__ == "device":
        return "torch.device", (str(value),)
    if kind.__module__ == "numpy.dtypes" and kind.__name__ != "VoidDType":
        return "numpy.dtype", (value.str,)
    is_array = kind.__module__ == "numpy" and kind.__name__ == "ndarray"
    if is_array and value.dtype.kind in "biufc" and value.ndim and value.size <= _MOST_NUMBERS:
        return "numpy.array", (value.tolist(), value.dtype.str)
    return None


_MOST_NUMBERS = 1000
"""Larger arrays are data, which belongs into a file."""


def _parts_of_clock(path: str, value: Any, *names: str) -> tuple[str, tuple[Any, ...]] | None:
    if getattr(value, "fold", 0):
        return None
    return path, tuple(getattr(value, name) for name in names)


_CLOCK = ("hour", "minute", "second", "microsecond", "tzinfo")
_PARTS: dict[type, Callable[[Any], tuple[str, tuple[Any, ...]] | None]] = {
    slice: lambda v: ("builtins.slice", (v.start, v.stop, v.step)),
    bytearray: lambda v: ("builtins.bytearray", (bytes(v),)),
    decimal.Decimal: lambda v: ("decimal.Decimal", (str(v),)),
    fractions.Fraction: lambda v: ("fractions.Fraction", (v.numerator, v.denominator)),
    re.Pattern: lambda v: ("re.compile", (v.pattern, int(v.flags))),
    dt.timedelta: lambda v: ("datetime.timedelta", (v.days, v.seconds, v.microseconds)),
    dt.timezone: lambda v: ("datetime.timezone", v.__getinitargs__()),
    dt.date: lambda v: _parts_of_clock("datetime.date", v, "year", "month", "day"),
    dt.time: lambda v: _parts_of_clock("datetime.time", v, *_CLOCK),
    dt.datetime: lambda v: _parts_of_clock("datetime.datetime", v, "year", "month", "day", *_CLOCK),
}
