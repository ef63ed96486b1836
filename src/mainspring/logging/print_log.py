"""One function to say something to whichever log there is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

from mainspring.logging.logger import MMLogger

__all__ = ["print_log", "receiving_messages", "warn"]

_Extra = Mapping[str, object] | None
_Receive = Callable[[object, int, _Extra], None]
_receiver: ContextVar[_Receive | None] = ContextVar("receiver", default=None)


@contextmanager
def receiving_messages(receive: _Receive) -> Iterator[None]:
    """Within the block, give messages for the current logger to a function instead.

    Args:
        receive: Called with each message, its level and the attributes of its record.
    """
    token = _receiver.set(receive)
    try:
        yield
    finally:
        _receiver.reset(token)


def print_log(
    msg: object,
    logger: logging.Logger | str | None = None,
    level: int = logging.INFO,
    *,
    extra: _Extra = None,
) -> None:
    """Write a message.

    Args:
        msg: The message.
        logger: ``None`` prints; a `logging.Logger` logs; ``"silent"`` does nothing; ``"current"``
            is the logger of the current run; any other string is the name of a run's logger.
        level: Level of the message; printing ignores it.
        extra: Attributes of the record, such as `IN_FILE`.

    Raises:
        ValueError: There is no logger of that name.
        TypeError: `logger` is nothing of this kind.
    """
    if logger is None:
        print(msg)
        return
    if logger == "silent":
        return
    if logger == "current":
        receive = _receiver.get()
        if receive is not None:
            receive(msg, level, extra)
            return
        logger = MMLogger.get_current_instance()
    elif isinstance(logger, str):
        if not MMLogger.check_instance_created(logger):
            names = ", ".join(MMLogger._instance_dict) or "none"
            raise ValueError(f"there is no logger named {logger!r}; there are: {names}")
        logger = MMLogger.get_instance(logger)
    elif not isinstance(logger, logging.Logger):
        raise TypeError(f"logger is a {type(logger).__name__}, not a Logger, str or None")
    logger.log(level, msg, extra=extra)


def warn(message: object) -> None:
    """Warn in the log of the current run.

    Args:
        message: What is wrong.
    """
    print_log(message, "current", logging.WARNING)


class _OfTheEngine(logging.Handler):
    """Brings warnings of packages below this one into the log of the current run."""

    def emit(self, record: logging.LogRecord) -> None:
        if MMLogger._instance_dict:
            print_log(record.getMessage(), "current", record.levelno)
        elif logging.lastResort is not None:
            logging.lastResort.handle(record)


logging.getLogger("mainspring").addHandler(_OfTheEngine(logging.WARNING))
