"""MMCV's path of helpers that MMEngine has as well, and its loggers."""

from __future__ import annotations

import logging
from typing import Any

import mainspring
from mainspring.dist import is_main_process

__all__ = ["get_logger"]

_made: set[str] = set()


def get_logger(
    name: str, log_file: str | None = None, log_level: int = logging.INFO, file_mode: str = "w"
) -> logging.Logger:
    """The logger of a name, which writes to standard error, and in the main process to a file.

    Args:
        name: Its name; that of one made earlier, or of a part of that, changes nothing.
        log_file: The file.
        log_level: From which level on; other processes log errors only.
        file_mode: How the file is opened.
    """
    logger = logging.getLogger(name)
    if not any(name.startswith(earlier) for earlier in _made):
        _made.add(name)
        is_main = is_main_process()
        handlers: list[logging.Handler] = [logging.StreamHandler()]
        if log_file is not None and is_main:
            handlers.append(logging.FileHandler(log_file, file_mode))
        for handler in handlers:
            pattern = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
            handler.setFormatter(logging.Formatter(pattern))
            logger.addHandler(handler)
        logger.setLevel(log_level if is_main else logging.ERROR)
    return logger


def __getattr__(name: str) -> Any:
    if name not in mainspring.__all__:
        raise AttributeError(f"module 'mmcv' has no attribute {name!r}")
    return getattr(mainspring, name)
