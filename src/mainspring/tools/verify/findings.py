"""What a check found, and what to do about it."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "Outcome", "finding_details", "finding_line"]

_WIDTH = 96
_INDENT = "    "
_NAME_WIDTH = len("kill-and-resume")
_OUTCOME_WIDTH = len("not applicable")

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


def finding_line(finding: Finding) -> str:
    """The line of a check in the table.

    Args:
        finding: The finding.
    """
    return f"{finding.check:<{_NAME_WIDTH}}  {finding.outcome:<{_OUTCOME_WIDTH}}  {finding.reason}"


def finding_details(finding: Finding) -> str:
    """What differs, and what to do about it.

    Args:
        finding: The finding.
    """
    lines = [finding.check, *(f"{_INDENT}{difference}" for difference in finding.differences)]
    if finding.hint is not None:
        deeper = f"{_INDENT}      "
        lines += textwrap.wrap(
            f"hint: {finding.hint}", _WIDTH, initial_indent=_INDENT, subsequent_indent=deeper
        )
    return "\n".join(lines)
