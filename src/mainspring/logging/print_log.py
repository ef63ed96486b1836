"""One function to say something to whichever log there is."""

from __future__ import annotations

import logging
from typing import Any

from mainspring.logging.logger import MMLogger

__all__ = ["print_log"]


def print_log(msg: Any, logger: Any = None, level: int = logging.INFO) -> None:
    """Write a message.

    Args:
        msg: The message.
        logger: ``None`` prints; a `logging.Logger` logs; ``"silent"`` does nothing; ``"current"``
            is the current run's logger; any other string is the name of a logger that exists.
        level: Level of the message.

    Raises:
        ValueError: There is no logger of that name.
        TypeError: `logger` is nothing of this kind.
    """
    if logger is None:
        print(msg)
    elif isinstance(logger, logging.Logger):
        logger.log(level, msg)
    elif logger == "silent":
        return
    elif logger == "current":
        MMLogger.get_current_instance().log(level, msg)
    elif isinstance(logger, str):
        if not MMLogger.check_instance_created(logger):
            raise ValueError(f"there is no logger named {logger!r}")
        MMLogger.get_instance(logger).log(level, msg)
    else:
        raise TypeError(f"logger is a Logger, a str or None, not {type(logger).__name__}")
