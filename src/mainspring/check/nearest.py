"""The names that a misspelt one may stand for."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import SequenceMatcher

from mainspring.errors import close_names

__all__ = ["alike", "is_misspelling", "nearest"]

_MARGIN = 0.1
_ALIKE = 0.8
_LETTERS = 2


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


def is_misspelling(name: str, other: str) -> bool:
    """Whether two names differ by a slip of the keyboard: `widht`, not `deform` for `deformable`.

    Args:
        name: The name as it is written.
        other: What it may stand for.
    """
    changes = SequenceMatcher(None, name, other).get_opcodes()
    changed = sum(max(b - a, d - c) for kind, a, b, c, d in changes if kind != "equal")
    return changed <= _LETTERS and alike(name, other) >= _ALIKE and name.lower() != other.lower()
