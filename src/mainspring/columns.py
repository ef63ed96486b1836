"""Rows of a table as lines of text, and numbers, times and curves as a person reads them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence

__all__ = [
    "as_bytes",
    "as_duration",
    "as_number",
    "counted",
    "in_columns",
    "sparkline",
    "titled",
    "with_unit",
]

_BARS = "▁▂▃▄▅▆▇█"


def in_columns(
    rows: Sequence[Sequence[str]],
    right: Collection[int] = (),
    *,
    spare: Sequence[int] = (),
    room: int | None = None,
) -> list[str]:
    """Rows as lines, with columns that are as wide as their widest cell.

    Args:
        rows: Rows of as many cells each; a first row of heads is one of them.
        right: Columns that are aligned at their right, by number.
        spare: Columns that are left out where there is no room, the first one first.
        room: Characters that a line may have; any number by default.

    Returns:
        A line for each row, two blanks between its cells, none at its end.
    """
    widths = dict(enumerate(max(map(len, column)) for column in zip(*rows, strict=True)))
    for number in spare:
        if room is not None and sum(widths.values()) + 2 * (len(widths) - 1) > room:
            del widths[number]
    return [
        "  ".join(
            row[number].rjust(width) if number in right else row[number].ljust(width)
            for number, width in widths.items()
        ).rstrip()
        for row in rows
    ]


def as_number(value: float) -> str:
    """A number in few characters: ``0.0412``, ``98.33``, ``1.20e-05``.

    Args:
        value: Any number.
    """
    size = abs(value)
    if isinstance(value, int) and size < 1e7:
        return str(value)
    if not math.isfinite(value):
        return str(value)
    if size >= 1e5 or 0 < size < 1e-3:
        return f"{value:.2e}"
    return f"{value:.4f}" if size < 10 else f"{value:.2f}" if size < 1e3 else f"{value:.1f}"


def counted(number: int, word: str) -> str:
    """How many there are of what a word means: ``1 epoch``, ``2 epochs``.

    Args:
        number: How many.
        word: The word for one of them.
    """
    return f"{number} {word}{'' if number == 1 else 's'}"


def titled(what: str, name: str) -> str:
    """What a thing is called among several: ``dataset of labelled``, or ``dataset`` alone.

    Args:
        what: What it is.
        name: Its name; empty where there is a single one.
    """
    return f"{what} of {name}" if name else what


def with_unit(
    amount: float, units: Sequence[str] = ("", "k", "M", "G", "T", "P"), step: int = 1000
) -> str:
    """An amount in three digits and the unit that suits it, such as ``1.02 G``.

    Args:
        amount: The amount, in the first of the units.
        units: The units, rising.
        step: How much of a unit is one of the next.
    """
    *smaller, largest = units
    for unit in smaller:
        if amount < 999.5:
            return f"{amount:.3g} {unit}"
        amount /= step
    return f"{amount:.3g} {largest}"


def as_bytes(count: float) -> str:
    """The size of a file: ``1.9 kB``, ``98.3 MB``.

    Args:
        count: Its bytes.
    """
    return with_unit(count, ("B", "kB", "MB", "GB", "TB"))


def as_duration(seconds: float) -> str:
    """A time as ``0:07``, ``1:02:03`` or ``3d 04:05``.

    Args:
        seconds: Seconds.
    """
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
    return f"{hours // 24}d {hours % 24:02}:{minutes:02}"


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A curve in one line, as ``█▇▆▄▃▁``; a constant one is flat.

    Args:
        values: The curve, at even distances; others than finite ones are left out.
        width: Most characters.
    """
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return ""
    count = min(width, len(finite))
    chosen = [finite[(index * (len(finite) - 1)) // max(count - 1, 1)] for index in range(count)]
    low, high = min(chosen), max(chosen)
    if low == high:
        return _BARS[3] * count
    return "".join(_BARS[round((value - low) / (high - low) * 7)] for value in chosen)
