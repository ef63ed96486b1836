"""Refuse a config with a mistake before anything is built; say what hardly is meant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.errors import UnknownTypeError

if TYPE_CHECKING:
    from mainspring.check import Problem

__all__ = ["MistakenConfigError", "refuse_mistakes"]


class MistakenConfigError(UnknownTypeError, TypeError):
    """What ``mainspring check`` calls an error: a name, an argument or a value that cannot be."""


def refuse_mistakes(cfg: Any) -> list[Problem]:
    """Refuse a config in which `mainspring.check` finds errors.

    Args:
        cfg: The config of a run.

    Returns:
        What is no error but hardly meant, as far as the run does not find it out itself.

    Raises:
        ConfigError: With all mistakes; the place and path are those of the first.
    """
    from mainspring.check import examine

    findings = examine(cfg)
    errors = [problem for problem in findings.problems if problem.severity == "error"]
    if not errors:
        return [problem for problem in findings.problems if not problem.only_checked]
    # Why a package's names are unknown is said first; it is no error where none of them is used.
    scope = [problem for problem in findings.problems if problem.config_path == "default_scope"]
    first, *others = dict.fromkeys([*scope, *errors])
    message = first.message
    if others:
        count = f"{len(others)} more mistakes" if len(others) > 1 else "one more mistake"
        lines = "".join(f"\n    {p.location or p.config_path}: {p.message}" for p in others)
        message += f"\n  and {count}:{lines}"
    raise MistakenConfigError(
        message, location=first.location, config_path=first.config_path, help=first.help
    )
