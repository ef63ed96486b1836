"""One function to say something to whichever log there is."""

from __future__ import annotations

import logging

from mainspring.logging.logger import MMLogger

__all__ = ["print_log"]


def print_log(
    msg: object, logger: logging.Logger | str | None = None, level: int = logging.INFO
) -> None:
    """Write a message.

    Args:
        msg: The message.
        logger: ``None`` prints; a `logging.Logger` logs; ``"silent"`` does nothing; ``"current"``
            is the logger of the current run; any other string is the name of a run's logger.
        level: Level of the message; printing ignores it.

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
        logger = MMLogger.get_current_instance()
    elif isinstance(logger, str):
        if not MMLogger.check_instance_created(logger):
            names = ", ".join(MMLogger._instance_dict) or "none"
            raise ValueError(f"there is no logger named {logger!r}; there are: {names}")
        logger = MMLogger.get_instance(logger)
    elif not isinstance(logger, logging.Logger):
        raise TypeError(f"logger is a {type(logger).__name__}, not a Logger, str or None")
    logger.log(level, msg)
