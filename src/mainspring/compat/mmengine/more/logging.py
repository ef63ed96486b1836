"""Names of `mmengine.logging.logger`."""

from __future__ import annotations

import inspect
import logging
import logging.handlers
from typing import Any

from mainspring.logging.logger import _COLORS, _device_of_process, _RunFormatter


class MMFormatter(_RunFormatter):
    """Lines of the engine's logger.

    Args:
        color: Whether the level is coloured.
        blink: Whether it blinks.
        **kwargs: ``datefmt``.
    """

    def __init__(self, color: bool = True, blink: bool = False, **kwargs: Any) -> None:
        super().__init__(kwargs.get("datefmt") or "%m/%d %H:%M:%S")
        self._color, self._blink = color, blink

    def level_of(self, record: logging.LogRecord) -> str:
        """The level's name, as it was asked for."""
        code = _COLORS.get(record.levelno, 32)
        codes = f"1;{'5;' if self._blink else ''}{code}"
        return f"\x1b[{codes}m{record.levelname}\x1b[0m" if self._color else record.levelname


def _get_device_id() -> int:
    return int(_device_of_process())


def _get_logging_file_handlers() -> dict[str, type[logging.Handler]]:
    """The file handlers of the standard library by name."""
    return {
        name: kind
        for module in (logging, logging.handlers)
        for name, kind in vars(module).items()
        if inspect.isclass(kind) and issubclass(kind, logging.FileHandler)
    }
