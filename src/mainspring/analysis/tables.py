"""Numbers with units, and tables of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

__all__ = ["in_columns", "scaled"]

_UNITS = ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "K"))


def scaled(number: float) -> tuple[float, str]:
    """A number and its unit; beyond a tenth of a unit it is given in it, as in ``0.2K``."""
    return next(
        ((number / unit, name) for unit, name in _UNITS if abs(number) > unit / 10), (number, "")
    )


def in_columns(headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> str:
    """A table of ASCII characters, as wide as it has to be.

    Args:
        headers: Names of the columns.
        rows: The cells.
        title: What stands above the table.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(*headers, title=title or None, box=box.ASCII2)
    for row in rows:
        table.add_row(*row)
    console = Console(width=10_000)
    with console.capture() as capture:
        console.print(table, end="")
    return capture.get()
