"""The logger of a run: a file holds every line, the terminal shows what a person reads.

A record says with an attribute (``extra=...``) where it goes: `IN_FILE` keeps it off the terminal,
`ON_TERMINAL` out of everything else. Under MMEngine's alias the terminal shows every line of the
file, as MMEngine's does.
"""

from __future__ import annotations

import getpass
import inspect
import logging
import logging.handlers
import os
import socket
import sys
import time
from collections.abc import Mapping
from logging import Filter, Formatter, Handler, LogRecord
from typing import Any, TextIO

from mainspring.defaults import DEFAULTS
from mainspring.dist import get_rank, get_world_size
from mainspring.errors import ConfigError, did_you_mean
from mainspring.output import is_terminal, masked, printable, uses_colour
from mainspring.registry.manager import ManagerMixin

__all__ = ["IN_FILE", "ON_TERMINAL", "MMLogger", "level_number", "terminal_handlers"]

IN_FILE: Mapping[str, object] = {"only": "file"}
"""For ``extra=`` of a log call: what is for looking up later, and not for the terminal."""

ON_TERMINAL: Mapping[str, object] = {"only": "terminal"}
"""For ``extra=`` of a log call: what the file has already, or nobody looks up later."""

_SECONDS_BETWEEN_LINES = 0.1
_COLORS = {logging.DEBUG: 36, logging.WARNING: 33, logging.ERROR: 31, logging.CRITICAL: 31}


class _RunFormatter(Formatter):
    """``date - name - LEVEL - message``; errors say where they come from."""

    def __init__(self, date_format: str) -> None:
        super().__init__(datefmt=date_format)
        self._second = -1
        self._date = ""

    def format(self, record: LogRecord) -> str:
        place = ""
        if record.levelno >= logging.ERROR:
            place = f"{record.pathname} - {record.funcName} - {record.lineno} - "
        second = int(record.created)
        if second != self._second:  # lines of one second share the date
            self._date = time.strftime(str(self.datefmt), self.converter(second))
            self._second = second
        text = (
            f"{self._date} - {record.name} - {self.level_of(record)} - {place}{record.getMessage()}"
        )
        return self._with_traces(text, record)

    def _with_traces(self, text: str, record: LogRecord) -> str:
        if record.exc_info:
            text += "\n" + self.formatException(record.exc_info)
        if record.stack_info:
            text += "\n" + self.formatStack(record.stack_info)
        return printable(masked(text), colours=True)

    def level_of(self, record: LogRecord) -> str:
        return record.levelname


class _TerminalFormatter(_RunFormatter):
    """The message, behind its level if that is not INFO; or whole lines, if short are not wanted.

    Levels are in colour, unless the output goes to a file or pipe.
    """

    def format(self, record: LogRecord) -> str:
        if not DEFAULTS.short_lines:
            return super().format(record)
        head = "" if record.name == DEFAULTS.name else f"{record.name}: "
        if record.levelno != logging.INFO:
            head += f"{self.level_of(record)}: "
        text = head + record.getMessage()
        if record.levelno >= logging.ERROR:
            text += f" ({os.path.basename(record.pathname)}:{record.lineno})"
        return self._with_traces(text, record)

    def level_of(self, record: LogRecord) -> str:
        if not uses_colour():
            return record.levelname
        color = f";{_COLORS[record.levelno]}" if record.levelno in _COLORS else ""
        return f"\x1b[1{color}m{record.levelname}\x1b[0m"


class FilterDuplicateWarning(Filter):
    """Lets each warning through once.

    Args:
        name: Kept for MMEngine's users.
    """

    def __init__(self, name: str | None = None) -> None:
        super().__init__(DEFAULTS.name if name is None else name)
        self._seen: set[str] = set()

    def filter(self, record: LogRecord) -> bool:
        if record.levelno != logging.WARNING:
            return True
        text = record.getMessage()
        if text in self._seen:
            return False
        self._seen.add(text)
        return True


class _StandardOutput(logging.StreamHandler[TextIO]):
    """Writes to whatever standard output is at the moment, so that redirecting it works.

    There may be none, as in a program without a console, or it may be closed.

    On a terminal, records with the attribute ``one_of_many`` are shown at a pace that can be read;
    of those held back, the newest comes before the next record of another kind.

    Args:
        all_in: The file that holds every record, if there is one.
    """

    def __init__(self, all_in: str | None) -> None:
        super().__init__(sys.stdout)
        self._all_in = all_in
        self._shown_at = 0.0
        self._held: LogRecord | None = None
        self._has_said = False

    def handle(self, record: LogRecord) -> bool:
        """Show a record, or hold it back."""
        if not getattr(record, "one_of_many", False) or not is_terminal():
            self.show_held()
        elif record.created - self._shown_at < _SECONDS_BETWEEN_LINES:
            self._held = record
            return True
        else:
            if self._held is not None and not self._has_said:
                self._has_said = True
                where = f"; all are in {self._all_in}" if self._all_in else ""
                text = f"log lines come faster than they can be read: some are shown here{where}"
                super().handle(logging.makeLogRecord({**vars(record), "msg": text, "args": ()}))
            self._held = None
            self._shown_at = record.created
        return bool(super().handle(record))

    def show_held(self) -> None:
        """Show the newest record that was held back."""
        if self._held is not None:
            held, self._held = self._held, None
            super().handle(held)

    def format(self, record: LogRecord) -> str:
        """The line, with escapes for what the output has no character for."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return super().format(record).encode(encoding, "backslashreplace").decode(encoding)

    @property
    def stream(self) -> TextIO:
        return sys.stdout

    @stream.setter
    def stream(self, value: TextIO) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        del value

    def emit(self, record: LogRecord) -> None:
        if sys.stdout is not None and not getattr(sys.stdout, "closed", False):
            super().emit(record)

    def handleError(self, record: LogRecord) -> None:  # noqa: N802 - a name of logging's
        if not isinstance(sys.exception(), BrokenPipeError):  # nobody reads any more: `| head`
            super().handleError(record)


class MMLogger(logging.Logger, ManagerMixin):
    """A `logging.Logger` that is found by the name of its run.

    It has handlers of its own, and nothing that it writes reaches the root logger. Rank 0 writes to
    the terminal and to the file; other ranks write only their errors, to the terminal. A warning
    that was shown is not shown again.

    Args:
        name: Name of the run.
        logger_name: Name in each line; that of the engine by default.
        log_file: File to write to as well.
        log_level: Lowest level that is written, such as ``"INFO"`` or ``logging.INFO``.
        file_mode: ``"w"`` begins the file anew, ``"a"`` appends.
        distributed: Whether every rank writes a file, with host, device and rank in its name. At
            level DEBUG they do in any case.
        file_handler_cfg: How to write the file: a dict with ``type``, the name of a file handler of
            `logging.handlers`, and its arguments.

    Raises:
        ConfigError: There is no such level or file handler.

    Example:
        >>> logger = MMLogger.get_instance("docs", log_level="WARNING")
        >>> logger is MMLogger.get_current_instance()
        True
    """

    _has_default = True

    def __init__(
        self,
        name: str,
        logger_name: str | None = None,
        log_file: str | None = None,
        log_level: int | str = "INFO",
        file_mode: str = "w",
        distributed: bool = False,
        file_handler_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        logging.Logger.__init__(self, logger_name or DEFAULTS.name)
        ManagerMixin.__init__(self, name)
        level = level_number(log_level)
        rank = get_rank()
        terminal = _StandardOutput(log_file)
        terminal.setFormatter(_TerminalFormatter("%m/%d %H:%M:%S"))
        terminal.setLevel(level if rank == 0 else logging.ERROR)
        terminal.addFilter(FilterDuplicateWarning())
        self.addHandler(terminal)
        every_rank = (distributed or level <= logging.DEBUG) and get_world_size() > 1
        if log_file is not None and every_rank:
            log_file = _file_of_rank(log_file, rank)
        self._log_file = log_file
        if log_file is not None and (rank == 0 or every_rank):
            handler = _file_handler(log_file, file_mode, file_handler_cfg)
            handler.setFormatter(_RunFormatter("%Y/%m/%d %H:%M:%S"))
            handler.setLevel(level)
            handler.addFilter(FilterDuplicateWarning())
            self.addHandler(handler)
        self._own_handlers = len(self.handlers)

    @property
    def log_file(self) -> str | None:
        """The file that is written to, if any."""
        return self._log_file

    @classmethod
    def release_instance(cls, name: str) -> None:
        """Forget the logger of that name and close its file."""
        logger = cls._instance_dict.get(name)
        super().release_instance(name)
        if logger is not None:
            logger.close()

    def close(self) -> None:
        """Close the file; lines still go to the terminal."""
        for handler in list(self.handlers):
            if isinstance(handler, logging.FileHandler):
                self.removeHandler(handler)
                handler.close()
            elif isinstance(handler, _StandardOutput):
                handler.show_held()

    def setLevel(self, level: int | str) -> None:  # noqa: N802 - the name in logging.Logger
        """Set the lowest level that is let through to the handlers."""
        super().setLevel(level)
        # The standard library empties this cache only for the loggers that it keeps itself.
        self._cache.clear()  # type: ignore[attr-defined]  # - typeshed leaves it out

    def _log(
        self,
        level: int,
        msg: object,
        args: Any,
        exc_info: Any = None,
        extra: Mapping[str, object] | None = None,
        stack_info: bool = False,
        stacklevel: int = 1,
    ) -> None:
        """Log, without looking for the calling line where none of our handlers shows it."""
        is_shown = level >= logging.ERROR or len(self.handlers) != self._own_handlers
        if is_shown or exc_info or stack_info or stacklevel != 1:
            super()._log(level, msg, args, exc_info, extra, stack_info, stacklevel + 1)
        else:
            record = self.makeRecord(self.name, level, "", 0, msg, args, None, extra=extra)
            self.handle(record)

    def callHandlers(self, record: LogRecord) -> None:  # noqa: N802 - the name in logging.Logger
        """Hand a record to this logger's own handlers; it does not reach the root logger."""
        only = getattr(record, "only", None) if DEFAULTS.short_lines else None
        for handler in self.handlers:
            if record.levelno < handler.level:
                continue
            if only is None or isinstance(handler, _StandardOutput) == (only == "terminal"):
                handler.handle(record)


def level_number(level: int | str) -> int:
    """A level of logging by its name.

    Args:
        level: The name, in any case of letters; or the number itself.

    Raises:
        ConfigError: There is no such level.
    """
    if not isinstance(level, str):
        return level
    known = logging.getLevelNamesMapping()
    if level.upper() not in known:
        hint = did_you_mean(level.upper(), known) or f"one of {', '.join(known)}"
        raise ConfigError.of_value("log_level", level, hint)
    return known[level.upper()]


def _file_of_rank(log_file: str, rank: int) -> str:
    stem, suffix = os.path.splitext(log_file)
    host = _get_host_info()
    return f"{stem}{host and f'_{host}'}_device{_device_of_process()}_rank{rank}{suffix}"


def _get_host_info() -> str:
    """``user@host``, or nothing where they cannot be told."""
    try:
        return f"{getpass.getuser()}@{socket.gethostname()}"
    except (KeyError, OSError):  # a container without an entry for its user
        return ""


def _device_of_process() -> str:
    """Number of the process's device on its machine, as the launcher and CUDA count it."""
    local_rank = os.environ.get("LOCAL_RANK", "0")
    torch = sys.modules.get("torch")  # no device is used without it
    if torch is None or not torch.cuda.is_available():
        return local_rank
    visible = os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",")
    devices = [name.strip() for name in visible if name.strip()]
    return dict(enumerate(devices)).get(int(local_rank), local_rank)


def _file_handler(path: str, mode: str, cfg: Mapping[str, Any] | None) -> Handler:
    if cfg is None:
        return logging.FileHandler(path, mode, encoding="utf-8")
    settings = dict(cfg)
    name = settings.pop("type", None)
    known = {
        kind.__name__: kind
        for module in (logging, logging.handlers)
        for kind in vars(module).values()
        if inspect.isclass(kind) and issubclass(kind, logging.FileHandler)
    }
    if name not in known:
        raise ConfigError(
            f"file_handler_cfg has the type {name!r}, which is no file handler of logging.handlers",
            help=f"one of {', '.join(sorted(known))}",
        )
    settings.setdefault("filename", path)
    return known[name](**settings)


def terminal_handlers() -> list[Handler]:
    """The handlers by which the loggers of all runs write to the terminal."""
    return [
        handler
        for logger in MMLogger._instance_dict.values()
        for handler in logger.handlers
        if isinstance(handler, _StandardOutput)
    ]
