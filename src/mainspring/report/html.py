"""Elements of HTML, with whatever stands in files escaped."""

from __future__ import annotations

import html
import time
from collections.abc import Iterable, Sequence

from mainspring.columns import as_number
from mainspring.comparison import is_number

__all__ = ["Html", "as_date", "escaped", "facts", "section", "table", "tag"]


def escaped(text: object) -> str:
    """A text as HTML shows it."""
    return html.escape(str(text))


def tag(name: str, content: str, **attributes: object) -> str:
    """An element.

    Args:
        name: Its name.
        content: What is in it, as HTML.
        **attributes: Its attributes; an underscore behind a name is left out, as in ``class_``.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escaped(value)}"'
        for key, value in attributes.items()
        if value is not None
    )
    return f"<{name}{written}>{content}</{name}>"


def section(title: str, content: str, **attributes: object) -> str:
    """A section with its title; empty where there is nothing in it."""
    return tag("section", tag("h3", escaped(title)) + content, **attributes) if content else ""


def table(head: Sequence[str], rows: Iterable[Sequence[object]], class_: str = "") -> str:
    """A table; columns of numbers stand at the right.

    Args:
        head: Names of the columns.
        rows: Its cells: numbers, texts, `Html`, or ``None`` for an empty one.
        class_: Its class.
    """
    cells = [list(row) for row in rows]
    right = {
        place
        for place in range(len(head))
        if all(isinstance(row[place], int | float | None) for row in cells)
    }

    def line(name: str, row: Sequence[object]) -> str:
        kinds = ("number" if place in right else None for place in range(len(row)))
        shown = zip(map(_content, row), kinds, strict=True)
        return tag("tr", "".join(tag(name, value, class_=kind) for value, kind in shown))

    body = "".join(line("td", row) for row in cells)
    whole = tag("thead", line("th", head)) + tag("tbody", body)
    return tag("div", tag("table", whole, class_=class_ or None), class_="scroll")


def _content(value: object) -> str:
    if isinstance(value, Html):
        return value
    return escaped("" if value is None else as_number(value) if is_number(value) else value)


class Html(str):
    """A text that is HTML already."""

    __slots__ = ()


def facts(pairs: Iterable[tuple[str, object]]) -> str:
    """Names with their values; those without one are left out."""
    shown = [
        tag("div", tag("dt", escaped(name)) + tag("dd", _content(value)))
        for name, value in pairs
        if value not in ("", None)
    ]
    return tag("dl", "".join(shown)) if shown else ""


def as_date(seconds: float | None) -> str:
    """A time since 1970 as day and time of this place."""
    return "" if seconds is None else time.strftime("%d %b %H:%M", time.localtime(seconds))
