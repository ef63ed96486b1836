"""Refuse a config with a certain mistake before anything is built."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mainspring.config import Config
from mainspring.errors import ConfigError

if TYPE_CHECKING:
    from mainspring.check import Problem

__all__ = ["refuse_mistakes"]


def refuse_mistakes(cfg: Config) -> None:
    """Refuse a config in which a name does not exist, a call does not fit, or sections contradict.

    Args:
        cfg: The config of a run.

    Raises:
        ConfigError: With all mistakes; the place and path are those of the first.
    """
    from mainspring.check import quick_check

    errors = [problem for problem in quick_check(cfg) if problem.severity == "error"]
    if not errors:
        return
    first, *others = errors
    message = first.message
    if others:
        count = f"{len(others)} more mistakes" if len(others) > 1 else "one more mistake"
        lines = "".join(f"\n    {_shown(problem)}" for problem in others)
        message += f"\n  and {count}:{lines}"
    raise ConfigError(
        message, location=first.location, config_path=first.config_path, help=first.help
    )


def _shown(problem: Problem) -> str:
    return f"{problem.location or problem.config_path}: {problem.message}"
