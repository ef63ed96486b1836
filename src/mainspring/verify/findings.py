"""What a check found, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Outcome"]

Outcome = Literal["holds", "broken", "not applicable"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of a check.

    Attributes:
        check: Name of the check.
        outcome: Whether what it checks holds.
        reason: What was compared, or why the check cannot be made.
        differences: The first things that differ.
        hint: What may be the cause, and what to change.
    """

    check: str
    outcome: Outcome
    reason: str
    differences: tuple[str, ...] = ()
    hint: str | None = None
