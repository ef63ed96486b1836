"""Parse and run the Python of a config file, with messages and tracebacks that show the file."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
import traceback
from types import CodeType
from typing import Any

from mainspring.config.recording import CONFIG_MODULE
from mainspring.config.source import Source
from mainspring.errors import ConfigError, ConfigSyntaxError, did_you_mean, mark_user_mistake

__all__ = ["compiled", "executed", "parsed"]

_UNEXPECTED = re.compile(r"(\w+)\(\) got an unexpected keyword argument '(\w+)'")


def parsed(source: Source, text: str) -> ast.Module:
    """The syntax tree of a file.

    Args:
        source: The file.
        text: Its text with templates replaced, line by line the same.

    Raises:
        SyntaxError: If it is not valid Python.
    """
    try:
        return ast.parse(text, source.absolute_path)
    except SyntaxError as error:
        raise _readable(error, source, text) from error


def compiled(tree: ast.Module, source: Source) -> CodeType:
    """The code of a syntax tree, which knows the file it comes from.

    Raises:
        SyntaxError: If it is not valid Python.
    """
    try:
        return compile(tree, source.absolute_path, "exec", dont_inherit=True)
    except SyntaxError as error:
        raise _readable(error, source, source.text) from error


def _readable(error: SyntaxError, source: Source, parsed_text: str) -> ConfigSyntaxError:
    line, column = error.lineno or 1, error.offset
    shown = _line(source.text, line)
    if shown != _line(parsed_text, line):
        # A template before the mistake was replaced by something of another length.
        column = None
    message = f"{error.msg}: {shown.strip()}" if shown.strip() else error.msg
    return ConfigSyntaxError(message, location=source.location(line, column or None))


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1] if number <= len(lines) else ""


def executed(
    code: CodeType,
    source: Source,
    names: dict[str, Any],
    assigned: dict[str, Any] | None = None,
) -> None:
    """Run the code of a file.

    Args:
        code: The code.
        source: The file.
        names: The names it starts with; its own are added.
        assigned: Where its assignments go, if not directly to the names.

    Raises:
        Exception: Whatever the file raises, with a note on the line of the file.
    """
    names.setdefault("__file__", source.path)
    names.setdefault("__name__", CONFIG_MODULE)
    try:
        exec(code, names, names if assigned is None else assigned)
    except ConfigError:
        raise
    except Exception as error:
        lines = [
            frame.lineno
            for frame in traceback.extract_tb(error.__traceback__)
            if frame.filename == source.absolute_path
        ]
        place = source.location(lines[-1] or 1) if lines else source.path
        meant = _meant(error, names)
        if meant is not None:
            error.add_note(f"help: {meant}")
        for name, value in getattr(assigned, "given", {}).items():
            error.add_note(f"the command line gives {name} the value {value!r}")
        error.add_note(f"while reading the config, {place}")
        mark_user_mistake(error)
        raise


def _meant(error: Exception, names: dict[str, Any]) -> str | None:
    """The name that a misspelt variable, or argument of a function that really ran, is close to."""
    if isinstance(error, NameError) and isinstance(error.name, str):
        return did_you_mean(error.name, [*names, *dir(builtins)])
    unexpected = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
    function = names.get(unexpected[1]) if unexpected else None
    if unexpected is None or not callable(function):
        return None
    parameters = list(inspect.signature(function).parameters)
    return did_you_mean(unexpected[2], parameters) or f"it has {', '.join(parameters)}"
