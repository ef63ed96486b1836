"""The logger of a run: coloured lines on the terminal, plain ones in a file."""

from __future__ import annotations

import logging
import os
import sys
from logging import Filter, Formatter, Handler, LogRecord
from typing import Any, Self, TextIO

from mainspring.dist import get_rank
from mainspring.utils.manager import ManagerMixin

__all__ = ["MMLogger", "run_handlers"]

_COLORS = {
    logging.DEBUG: "36",
    logging.INFO: "97",
    logging.WARNING: "33",
    logging.ERROR: "31",
    logging.CRITICAL: "31",
}


class _RunFormatter(Formatter):
    """``date - name - LEVEL - message``; warnings and errors say where they come from."""

    def __init__(self, colored: bool, date_format: str) -> None:
        super().__init__(datefmt=date_format)
        self._colored = colored

    def format(self, record: LogRecord) -> str:
        level = record.levelname
        if self._colored:
            level = f"\x1b[1;{_COLORS.get(record.levelno, '97')}m{level}\x1b[0m"
        place = ""
        if record.levelno >= logging.ERROR:
            place = f"{record.pathname} - {record.funcName} - {record.lineno} - "
        text = f"{self.formatTime(record, self.datefmt)} - {record.name} - {level} - {place}"
        text += record.getMessage()
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        return text


class _OnceFilter(Filter):
    """Lets each warning through once."""

    def __init__(self) -> None:
        super().__init__()
        self._seen: set[str] = set()

    def filter(self, record: LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        text = str(record.msg)
        if text in self._seen:
            return False
        self._seen.add(text)
        return True


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to whatever standard output is at the moment, so that redirection works."""

    def __init__(self) -> None:
        super().__init__(sys.stdout)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, value: TextIO) -> None:
        del value


class MMLogger(logging.Logger, ManagerMixin):
    """A `logging.Logger` of its own, found by the name of its run.

    Rank 0 writes to the terminal; other ranks only their errors.

    Args:
        name: Name of the run.
        logger_name: Name in each line.
        log_file: File to write to as well.
        log_level: Lowest level that is written.
        file_mode: ``"w"`` begins the file anew, ``"a"`` appends.
        distributed: Whether every rank writes a file, with host, device and rank in its name. At
            level DEBUG every rank does in any case.
        file_handler_cfg: Dict with ``type``, a handler class of `logging` (or of
            `logging.handlers`), and its arguments, for the file.
    """

    def __init__(
        self,
        name: str,
        logger_name: str = "mainspring",
        log_file: str | None = None,
        log_level: int | str = "INFO",
        file_mode: str = "w",
        distributed: bool = False,
        file_handler_cfg: dict[str, Any] | None = None,
    ) -> None:
        logging.Logger.__init__(self, logger_name)
        ManagerMixin.__init__(self, name)
        level = logging._checkLevel(log_level) if isinstance(log_level, str) else log_level  # type: ignore[attr-defined]  # - the standard way to turn a name into a number
        rank = get_rank()
        self._log_file = log_file
        terminal = _StandardOutput()
        terminal.setFormatter(_RunFormatter(sys.stdout.isatty(), "%m/%d %H:%M:%S"))
        terminal.setLevel(level if rank == 0 else logging.ERROR)
        terminal.addFilter(_OnceFilter())
        self.handlers.append(terminal)
        every_rank = distributed or level <= logging.DEBUG
        if log_file is not None and (rank == 0 or every_rank):
            if rank != 0 or distributed:
                self._log_file = log_file = _file_of_rank(log_file, rank)
            handler = _file_handler(log_file, file_mode, file_handler_cfg)
            handler.setFormatter(_RunFormatter(False, "%Y/%m/%d %H:%M:%S"))
            handler.setLevel(level)
            handler.addFilter(_OnceFilter())
            self.handlers.append(handler)
        self.setLevel(level)

    @property
    def log_file(self) -> str | None:
        """The file that is written, if any."""
        return self._log_file

    @classmethod
    def get_current_instance(cls) -> Self:
        """The current logger; one named ``mainspring`` is made when there is none."""
        if not cls._instance_dict:
            cls.get_instance("mainspring")
        return super().get_current_instance()

    @classmethod
    def release_instance(cls, name: str) -> None:
        """Forget the logger of that name and close its file."""
        logger = cls._instance_dict.get(name)
        super().release_instance(name)
        if logger is not None:
            logger.close()

    def close(self) -> None:
        """Close the log file; lines still go to the terminal."""
        for handler in list(self.handlers):
            if isinstance(handler, logging.FileHandler):
                handler.close()
                self.handlers.remove(handler)

    def callHandlers(self, record: LogRecord) -> None:  # noqa: N802 - the name in logging.Logger
        """Hand a record to this logger's own handlers; it does not reach the root logger."""
        for handler in self.handlers:
            if record.levelno >= handler.level:
                handler.handle(record)


def _file_of_rank(log_file: str, rank: int) -> str:
    import socket

    stem, suffix = os.path.splitext(log_file)
    device = os.environ.get("LOCAL_RANK", "0")
    return f"{stem}_{socket.gethostname()}_device{device}_rank{rank}{suffix}"


def _file_handler(path: str, mode: str, cfg: dict[str, Any] | None) -> Handler:
    settings = dict(cfg or {})
    name = settings.pop("type", "FileHandler")
    if name == "FileHandler":
        settings.setdefault("mode", mode)
        settings.setdefault("encoding", "utf-8")
    import logging.handlers

    found = getattr(logging.handlers, name, None) or getattr(logging, name, None)
    if found is None:
        raise ValueError(f"logging has no handler {name!r}")
    handler: Handler = found(filename=path, **settings)
    return handler


def run_handlers() -> list[Handler]:
    """Terminal handlers of all loggers of runs."""
    return [
        handler
        for logger in MMLogger._instance_dict.values()
        for handler in logger.handlers
        if isinstance(handler, _StandardOutput)
    ]
