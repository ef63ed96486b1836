"""Parse and run the Python of a config file, with messages and tracebacks that show the file."""

from __future__ import annotations

import ast
import builtins
import inspect
import re
from collections.abc import Iterator, Mapping, MutableMapping
from types import CodeType
from typing import Any

from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.recorded_python.recording import CONFIG_MODULE, RefusedError, failing_place
from mainspring.config.recorded_python.surroundings import UnsetVariableError
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.config.source import ReadOptions, Source
from mainspring.config.sweep import assigned
from mainspring.errors import (
    ConfigError,
    ConfigSyntaxError,
    did_you_mean,
    mark_user_mistake,
    place_error,
)

__all__ = ["Namespace", "compiled", "executed", "parsed"]

_STAND_IN = re.compile(r"\b(Node|Reference|ReferenceAttr)\b")
"""In a message of Python: what stands for a value that is not there, where it takes none."""

_USED = re.compile(r"\b[^\W\d]\w*\b(?!\s*\()")
"""A name that is not called."""

_NAME = re.compile(r"\b[^\W\d]\w*\b")

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


def compiled(tree: ast.Module, source: Source, flags: int = 0) -> CodeType:
    """The code of a syntax tree, which knows the file it comes from.

    Args:
        tree: The tree.
        source: The file.
        flags: Of future statements that hold for it.

    Raises:
        SyntaxError: If it is not valid Python.
    """
    try:
        code: CodeType = compile(tree, source.absolute_path, "exec", flags, dont_inherit=True)
    except SyntaxError as error:
        raise _readable(error, source, source.text) from error
    return code


def _readable(error: SyntaxError, source: Source, parsed_text: str) -> ConfigSyntaxError:
    line = error.lineno or 1
    shown = _line(source.text, line).strip()
    message = f"{error.msg}: {shown}" if shown else error.msg
    place = source.place_in(parsed_text, line, error.offset or None)
    return ConfigSyntaxError(message, location=place)


def _line(text: str, number: int) -> str:
    lines = text.split("\n")
    return lines[number - 1] if number <= len(lines) else ""


class Namespace(MutableMapping[str, Any]):
    """Passes every assignment on to the globals of the file.

    A variable that the command line gives takes that value where the file assigns it, so that what
    the file computes from it follows. Only plain values do; parts of the run are changed when the
    config is complete.

    Args:
        names: The globals of the file.
        options: Holds the variables that the command line gives.
    """

    def __init__(self, names: dict[str, Any], options: ReadOptions) -> None:
        self._names = names
        self._options = options

    def __setitem__(self, name: str, value: Any) -> None:
        self._names[name] = assigned(name, value, self._options.value_of(name, value))

    def __getitem__(self, name: str) -> Any:
        return self._names[name]

    def __delitem__(self, name: str) -> None:
        del self._names[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def copy(self) -> dict[str, Any]:
        """The names so far, for a file that asks for ``locals().copy()``."""
        return dict(self._names)

    @property
    def given(self) -> dict[str, Any]:
        """The variables that took the value of the command line."""
        return {name: self._options.variables[name] for name in sorted(self._options.used)}

    def take_over(self, names: Mapping[str, Any]) -> None:
        """Bind the names of a base, as ``from base import *`` does."""
        for name, value in names.items():
            if not name.startswith("_"):
                self._names[name] = value


def executed(code: CodeType, source: Source, names: dict[str, Any], namespace: Namespace) -> None:
    """Run the code of a file.

    Args:
        code: The code.
        source: The file.
        names: The names it starts with; its own are added.
        namespace: Where its assignments go.

    Raises:
        Exception: Whatever the file raises, with a note on the line of the file.
    """
    names.setdefault("__file__", source.path)
    names.setdefault("__name__", CONFIG_MODULE)
    names.setdefault("__doc__", None)
    try:
        exec(code, names, namespace)
    except ConfigError:
        raise
    except SystemExit as error:
        raise ConfigError(
            f"the config ends the program that reads it: {error!r}",
            location=failing_place(error),
            help="raise an error that says what is wrong",
        ) from error
    except Exception as error:
        used = _used_value(error, source, names)
        if used is not None:
            raise used from error
        keyword = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
        location = failing_place(error, keyword[2] if keyword else None)
        meant = _meant(error, names)
        if meant is not None:
            error.add_note(f"help: {meant}")
        for name, value in namespace.given.items():
            error.add_note(f"the command line gives {name} the value {value!r}")
        error.add_note(f"while reading the config, {location or source.path}")
        place_error(error, location, meant)
        mark_user_mistake(error)
        raise


def _used_value(error: Exception, source: Source, names: dict[str, Any]) -> RefusedError | None:
    """What to say where Python itself refuses what stands for a value that is not there."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    lazy: list[str] = []
    if trace is not None and trace.tb_frame.f_globals is names:
        of_pattern = "match pattern" in str(error)  # as in `case ResNet():`, which calls nothing
        words = (_NAME if of_pattern else _USED).findall(_line(source.text, trace.tb_lineno))
        lazy = [dotted_path(names[word]) for word in words if is_lazy(names.get(word))]
    stand_in = _STAND_IN.search(str(error))
    if not isinstance(error, TypeError) or not (stand_in or lazy):
        return None
    what = f"what is imported ({', '.join(lazy)})" if lazy else "a recorded call"
    reason = "" if stand_in else f": {error}"
    return RefusedError(
        f"{what} has no value while the config is read, so it cannot be used here{reason}",
        location=failing_place(error),
        help="write the value, or import it within `with eager():` to have it now",
    )


def _meant(error: Exception, names: dict[str, Any]) -> str | None:
    """What was meant by a misspelt variable, attribute or argument, or what to do instead."""
    if isinstance(error, UnsetVariableError):
        return f"set it in the shell, or write env({error.args[0]!r}, DEFAULT)"
    if isinstance(error, AttributeError) and isinstance(error.obj, dict):
        return did_you_mean(error.name or "", map(str, dict.keys(error.obj)))
    if isinstance(error, NameError) and error.name in RUNNER_SECTIONS:
        return f"nothing has assigned {error.name} before: {error.name} = ..."
    if isinstance(error, NameError) and isinstance(error.name, str):
        own = [name for name in names if not name.startswith("__")]
        near = did_you_mean(error.name, own) or did_you_mean(error.name, dir(builtins), cutoff=0.8)
        return near or f"{error.name} is not imported, and nothing in the file assigns it"
    unexpected = _UNEXPECTED.search(str(error)) if isinstance(error, TypeError) else None
    function = names.get(unexpected[1]) if unexpected else None
    if unexpected is None or not callable(function):
        return None
    parameters = list(inspect.signature(function).parameters)
    return did_you_mean(unexpected[2], parameters) or f"it has {', '.join(parameters)}"
