"""The names that a misspelt one may stand for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from mainspring.errors import close_names

__all__ = ["alike", "nearest", "suggestion"]

_MARGIN = 0.1


def alike(name: str, other: str) -> float:
    """How alike two names are, from 0 to 1, whatever the case of letters."""
    return SequenceMatcher(None, name.lower(), other.lower()).ratio()


def nearest(name: str, candidates: Iterable[str]) -> list[str]:
    """The candidates that look most like a misspelt name; those that look less so are left out.

    Args:
        name: The misspelt name.
        candidates: What it may stand for.
    """
    close = close_names(name, candidates)
    return [item for item in close if alike(name, item) >= alike(name, close[0]) - _MARGIN]


def suggestion(names: Iterable[str]) -> str | None:
    """A help line that names candidates; ``None`` if there are none."""
    shown = " or ".join(map(repr, names))
    return f"did you mean {shown}?" if shown else None
