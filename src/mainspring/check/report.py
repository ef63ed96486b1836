"""A check's findings as text for people and as JSON for programs."""

from __future__ import annotations

import json
from typing import Any

from mainspring.check.checker import Findings
from mainspring.check.problem import Problem
from mainspring.columns import counted
from mainspring.errors import as_ours, shown_path

__all__ = ["report_as_json", "report_as_text", "unreadable_as_json"]

_RED, _YELLOW, _BOLD, _CYAN, _PLAIN = "\x1b[31m", "\x1b[33m", "\x1b[1m", "\x1b[36m", "\x1b[0m"


def report_as_text(findings: Findings, config: str, *, colour: bool = False) -> str:
    """The problems one after the other, and a line that sums them up.

    Args:
        findings: What was found.
        config: The config file as the user named it.
        colour: Whether to use the colours of terminals.
    """
    parts = [_as_text(problem, colour) for problem in findings.problems]
    return "\n".join([*parts, _summary(findings, config)])


def _as_text(problem: Problem, colour: bool) -> str:
    def paint(text: str, code: str) -> str:
        return f"{code}{text}{_PLAIN}" if colour else text

    severity = paint(problem.severity, _RED if problem.severity == "error" else _YELLOW)
    place = f"{paint(str(problem.location), _BOLD)}: " if problem.location else ""
    lines = [f"{place}{severity}: {problem.message}"]
    if problem.config_path:
        lines.append(f"  at: {shown_path(problem.config_path)}")
    if problem.help:
        lines.append(f"  {paint('help', _CYAN)}: {problem.help}")
    return "\n".join(lines)


def _summary(findings: Findings, config: str) -> str:
    counts = [(findings.errors, "error"), (findings.warnings, "warning")]
    shown = [counted(count, word) for count, word in counts if count]
    if shown:
        return f"{', '.join(shown)} in {config}"
    return (
        f"{config}: no problems ({counted(findings.calls, 'call')}, "
        f"{counted(findings.arguments, 'argument')} checked in {findings.seconds * 1000:.0f} ms, "
        f"after {findings.import_seconds:.2f} s of imports)"
    )


def report_as_json(findings: Findings, config: str) -> str:
    """The same for programs: an object with the problems and the counts.

    Args:
        findings: What was found.
        config: The config file as the user named it.
    """
    return json.dumps(
        {
            "config": config,
            "problems": [_as_dict(problem) for problem in findings.problems],
            "errors": findings.errors,
            "warnings": findings.warnings,
            "calls": findings.calls,
            "arguments": findings.arguments,
            "seconds": round(findings.seconds, 3),
            "import_seconds": round(findings.import_seconds, 3),
        },
        indent=2,
    )


def unreadable_as_json(error: BaseException, config: str) -> str:
    """The same for a config that cannot be read, which is one problem.

    Args:
        error: What reading it raised.
        config: The config file as the user named it.
    """
    ours = as_ours(error)
    problem = Problem("error", ours.message, ours.location, ours.help, ours.config_path)
    return report_as_json(Findings([problem], 0, 0, 0.0, 0.0), config)


def _as_dict(problem: Problem) -> dict[str, Any]:
    place = problem.location
    return {
        "severity": problem.severity,
        "message": problem.message,
        "file": place.file if place else None,
        "line": (place.line or None) if place else None,
        "column": place.column if place else None,
        "config_path": problem.config_path,
        "help": problem.help,
    }
