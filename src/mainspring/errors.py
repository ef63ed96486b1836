"""What mainspring raises, and how an error says that the mistake is the user's.

The hierarchy::

    MainspringError
    ├── ConfigError (also ValueError)         a config cannot be read or does not describe a run
    │   ├── ConfigSyntaxError (also SyntaxError)
    │   └── UnknownTypeError (also KeyError)  a name that no registry knows
    ├── CheckpointError (also RuntimeError)   a checkpoint cannot be read, trusted or applied
    ├── DataError (also RuntimeError)         a data set, sampler or loader cannot deliver
    └── MetricError (also ValueError)         a metric that nobody computes, or computed twice

Each class is also the builtin exception that older code catches in the same place. Exceptions that
come from a user's own code are never replaced: they keep their type and traceback and are given
notes (`add_note`), see `describe_mistake`.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVar

__all__ = [
    "CheckpointError",
    "ConfigError",
    "ConfigSyntaxError",
    "DataError",
    "Location",
    "MainspringError",
    "MetricError",
    "UnknownTypeError",
    "close_names",
    "did_you_mean",
    "is_user_mistake",
    "mark_user_mistake",
]

_MISTAKE_ATTRIBUTE = "__mainspring_user_mistake__"

ExceptionT = TypeVar("ExceptionT", bound=BaseException)


@dataclass(frozen=True, slots=True)
class Location:
    """A place in a file that a person wrote.

    Attributes:
        file: Path as the user would type it.
        line: Line number, counted from 1.
        column: Column, counted from 1; ``None`` where only the line is known.
    """

    file: str
    line: int
    column: int | None = None

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return place if self.column is None else f"{place}:{self.column}"


class MainspringError(Exception):
    """Base of all errors that mainspring raises itself.

    Args:
        message: What is wrong, with the offending value shown.
        location: Where it was written, when known.
        config_path: Dotted path in the config, such as ``model.backbone.depth``.
        help: What to do instead, such as the nearest valid name.
    """

    def __init__(
        self,
        message: str,
        *,
        location: Location | None = None,
        config_path: str | None = None,
        help: str | None = None,  # noqa: A002 - the word that compilers print
    ) -> None:
        super().__init__(message)
        self.message = message
        self.location = location
        self.config_path = config_path
        self.help = help

    def __str__(self) -> str:
        text = self.message if self.location is None else f"{self.location}: {self.message}"
        if self.config_path:
            text += f"\n  at: {self.config_path}"
        if self.help:
            text += f"\n  help: {self.help}"
        return text


class ConfigError(MainspringError, ValueError):
    """A config cannot be read, or does not describe a run."""


class ConfigSyntaxError(ConfigError, SyntaxError):
    """A config file is not valid Python, YAML or JSON."""

    __str__ = MainspringError.__str__


class UnknownTypeError(ConfigError, KeyError):
    """A name that no registry knows."""

    __str__ = MainspringError.__str__


class CheckpointError(MainspringError, RuntimeError):
    """A checkpoint cannot be read, trusted or applied."""


class DataError(MainspringError, RuntimeError):
    """A data set, sampler or loader cannot deliver what was asked of it."""


class MetricError(MainspringError, ValueError):
    """A metric that nobody computes, or that two computations claim."""


def mark_user_mistake(error: ExceptionT) -> ExceptionT:
    """Mark a foreign exception as caused by a mistake in the user's description of the run.

    The command line exits with 2 for such an error and with 1 for a run that failed by itself.
    """
    setattr(error, _MISTAKE_ATTRIBUTE, True)
    return error


def is_user_mistake(error: BaseException) -> bool:
    """Whether the error comes from the description of the run rather than from running it."""
    return isinstance(error, ConfigError | MetricError) or hasattr(error, _MISTAKE_ATTRIBUTE)


def close_names(name: str, candidates: Iterable[str], *, count: int = 3) -> list[str]:
    """The candidates that look most like a misspelt name, best first."""
    known = sorted({str(candidate) for candidate in candidates})
    found = difflib.get_close_matches(name, known, n=count, cutoff=0.6)
    if found:
        return found
    lowered = {candidate.lower(): candidate for candidate in known}
    return [lowered[match] for match in difflib.get_close_matches(name.lower(), lowered, n=count)]


def did_you_mean(name: str, candidates: Iterable[str]) -> str | None:
    """A help line naming the closest candidates, or ``None`` when nothing is close."""
    found = close_names(name, candidates)
    if not found:
        return None
    return f"did you mean {' or '.join(repr(candidate) for candidate in found)}?"
