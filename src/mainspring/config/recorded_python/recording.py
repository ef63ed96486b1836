"""Whether a config file is being executed, and where in it execution stands."""

from __future__ import annotations

import sys
from collections.abc import Callable
from contextlib import AbstractContextManager
from contextvars import ContextVar
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, NoReturn

from mainspring.config.provenance.marking import Marker
from mainspring.config.source import Source
from mainspring.errors import ConfigParsingError, Location
from mainspring.registry.within import within

__all__ = [
    "ARITHMETIC",
    "COMPARISONS",
    "CONFIG_MODULE",
    "RefusedError",
    "calling_frame",
    "calling_place",
    "calling_token",
    "failing_place",
    "give_operators",
    "is_asked_by_config",
    "is_recording",
    "not_recording",
    "recording",
    "refuse",
]

CONFIG_MODULE = "__config__"
"""``__name__`` of a config file while it runs, and of its functions."""

_REFLECTED = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
ARITHMETIC = (
    f"{_REFLECTED} {' '.join(f'r{name}' for name in _REFLECTED.split())} neg pos abs invert"
)
COMPARISONS = "lt le gt ge"
"""The special methods by which Python calculates and compares, without their underscores."""

_source: ContextVar[Source | None] = ContextVar("mainspring_recorded_source", default=None)


class RefusedError(ConfigParsingError, TypeError):
    """A config file uses something that it imports, or a recorded call, as if it were there."""


def recording(source: Source | None) -> AbstractContextManager[Source | None]:
    """Within the block calls of imported names are recorded, in this thread or task.

    Args:
        source: The file that is executed; ``None`` to record nothing.
    """
    return within(_source, source)


def not_recording() -> AbstractContextManager[None]:
    """Within the block nothing is recorded: the engine itself is at work."""
    return within(_source, None)


def is_recording() -> bool:
    """Whether a config file is being executed in this thread or task."""
    return _source.get() is not None


def is_asked_by_config() -> bool:
    """Whether the code that called a method is of a config file, or of a library that it calls.

    Methods that Python itself calls, such as ``__str__``, serve the engine's own messages as well.
    """
    if not is_recording():
        return False
    return not str(sys._getframe(2).f_globals.get("__name__")).startswith("mainspring.")


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
    return None if frame is None else _place(frame, frame.f_lasti, frame.f_lineno)


def failing_place(error: BaseException, word: str | None = None) -> Location | None:
    """File, line and column at which a config file, or a function of one, raised an error.

    Args:
        error: The error.
        word: Of a call, the keyword that is wrong.
    """
    found = None
    trace = error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_globals.get("__name__") == CONFIG_MODULE:
            frame, at = trace.tb_frame, trace.tb_lasti
            found = _token(frame, at, word) or _place(frame, at, trace.tb_lineno)
        trace = trace.tb_next
    return found


def _place(frame: FrameType, instruction: int, line_number: int) -> Location:
    line, column, *_ = _spans(frame.f_code)[instruction // 2]
    file = frame.f_globals["__file__"]
    if line is None or column is None:
        return Location(file, line or line_number)
    return Location(file, line, column + 1)


def _token(frame: FrameType, instruction: int, word: str | None = None) -> Location | None:
    """The place of the token; of a call that of a keyword. ``None`` if the text is not known."""
    marker = getattr(frame.f_builtins.get("__made__"), "__self__", None)
    span = _spans(frame.f_code)[instruction // 2]
    if not isinstance(marker, Marker) or None in span:
        return None
    return marker.text.token(span, word)


def calling_token() -> Location | None:
    """File, line and column of the token that the config file stands at: an attribute, a key."""
    frame = calling_frame()
    return (_token(frame, frame.f_lasti) if frame is not None else None) or calling_place()


@lru_cache(maxsize=64)
def _spans(code: CodeType) -> list[Any]:
    return [(line, start, last, end) for line, last, start, end in code.co_positions()]


def give_operators(cls: type, names: str, method: Callable[..., Any]) -> None:
    """Let special methods of a class be one and the same, but for those that it has itself.

    Args:
        cls: The class.
        names: Their names without underscores.
        method: What they do.
    """
    for name in names.split():
        if f"__{name}__" not in vars(cls):
            setattr(cls, f"__{name}__", method)


def refuse(
    message: str,
    help: str,  # noqa: A002 - the word that compilers print
    location: Location | None = None,
) -> NoReturn:
    """Refuse what the config file does.

    Args:
        message: What is wrong.
        help: What to do instead.
        location: Where; the expression that the file stands at if not given.

    Raises:
        ConfigError: Always.
    """
    raise RefusedError(message, location=location or calling_place(), help=help)
