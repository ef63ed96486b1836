"""Findings as a table for people, and as JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import textwrap
from collections.abc import Sequence

from mainspring.verify.findings import Finding

__all__ = ["finding_details", "finding_line", "findings_as_json"]

_WIDTH = 96
_INDENT = "    "
_NAME_WIDTH = len("kill-and-resume")
_OUTCOME_WIDTH = len("not applicable")


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
        lines += _wrapped(f"hint: {finding.hint}")
    return "\n".join(lines)


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent=_INDENT, subsequent_indent=f"{_INDENT}      ")


def findings_as_json(findings: Sequence[Finding], config: str) -> str:
    """An object with the config, whether all holds, and the findings.

    Args:
        findings: The findings.
        config: Path of the config.
    """
    holds = all(finding.outcome != "broken" for finding in findings)
    shown = [dataclasses.asdict(finding) for finding in findings]
    return json.dumps({"config": config, "holds": holds, "checks": shown}, indent=2)
