"""Whether a config file is being executed, and where in it execution stands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from types import CodeType, FrameType
from typing import NoReturn

from mainspring.config.errors import ConfigParsingError
from mainspring.config.source import Source
from mainspring.errors import Location

__all__ = [
    "CONFIG_MODULE",
    "calling_frame",
    "calling_place",
    "is_recording",
    "not_recording",
    "recording",
    "refuse",
]

CONFIG_MODULE = "__config__"
"""``__name__`` of a config file while it runs, and of its functions."""

_source: ContextVar[Source | None] = ContextVar("mainspring_recorded_source", default=None)


class RefusedError(ConfigParsingError, TypeError):
    """A config file uses something that it imports, or a recorded call, as if it were there."""

    __str__ = ConfigParsingError.__str__


@contextmanager
def recording(source: Source | None) -> Iterator[None]:
    """Within the block calls of imported names are recorded, in this thread or task.

    Args:
        source: The file that is executed; ``None`` to record nothing.
    """
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


@contextmanager
def not_recording() -> Iterator[None]:
    """Within the block nothing is recorded: the engine itself is at work."""
    with recording(None):
        yield


def is_recording() -> bool:
    """Whether a config file is being executed in this thread or task."""
    return _source.get() is not None


def calling_frame() -> FrameType | None:
    """The innermost frame of a config file: of the one that is executed, or of one of its bases."""
    if not is_recording():
        return None
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != CONFIG_MODULE:
        frame = frame.f_back
    return frame


def calling_place() -> Location | None:
    """File, line and column that the config file stands at."""
    frame = calling_frame()
    if frame is None:
        return None
    file = frame.f_globals["__file__"]
    line, column = _positions(frame.f_code)[frame.f_lasti // 2]
    if line is None:
        return Location(file, frame.f_lineno)
    return Location(file, line, None if column is None else column + 1)


@lru_cache(maxsize=64)
def _positions(code: CodeType) -> list[tuple[int | None, int | None]]:
    return [(line, column) for line, _, column, _ in code.co_positions()]


def refuse(message: str, help: str) -> NoReturn:  # noqa: A002 - the word that compilers print
    """Refuse what the config file does at the line that it stands at.

    Raises:
        ConfigError: Always.
    """
    raise RefusedError(message, location=calling_place(), help=help)
