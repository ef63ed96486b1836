"""What reading config files works with: the text of a file, and what it and its bases yield."""

from __future__ import annotations

import ast
import io
import os
import tokenize
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FunctionType, MethodType, ModuleType
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.provenance.marks import Mark, MarkedText, key_marks
from mainspring.errors import (
    ConfigParsingError,
    ConfigSyntaxError,
    Location,
    MissingConfigError,
    UnknownFormatError,
    did_you_mean,
)

__all__ = ["FORMATS", "FileReader", "LoadedConfig", "ReadOptions", "Source", "check_acyclic"]

_KEPT = (dict, list, type, FunctionType, MethodType, ModuleType, LazyObject, LazyAttr)

FORMATS = (".py", ".json", ".yaml", ".yml", ".toml")
"""Extensions of config files."""


@dataclass(slots=True)
class ReadOptions:
    """What is put in the place of what a config file says.

    Attributes:
        predefined_variables: Whether ``{{ fileDirname }}`` and its siblings are replaced.
        environment_variables: Whether ``{{$NAME:default}}`` is.
        variables: Values of top-level variables that the command line gives.
        function: Function of the outermost file that describes the run, if one is named.
        outermost: Path of the file that is asked for, not of a base.
        used: Names of `variables` that a file assigned, or a function took.
    """

    predefined_variables: bool = True
    environment_variables: bool = True
    variables: Mapping[str, Any] = field(default_factory=dict)
    function: str | None = None
    outermost: str | None = None
    used: set[str] = field(default_factory=set)

    def value_of(self, name: str, written: Any) -> Any:
        """The value that a variable gets where a file assigns it.

        Args:
            name: Name of the variable.
            written: The value that the file gives it. Dicts and lists are kept, since the command
                line changes them when the config is complete, and so are imports and functions.
        """
        if name not in self.variables or isinstance(written, _KEPT):
            return written
        return self.take(name)

    def take(self, name: str) -> Any:
        """The value that the command line gives to a variable."""
        self.used.add(name)
        return self.variables[name]

    def is_outermost(self, source: Source) -> bool:
        """Whether a file is the one that is asked for."""
        return self.outermost is None or self.outermost == source.path


@dataclass(frozen=True, slots=True)
class Source:
    """The text of one config file, as a person wrote it.

    Attributes:
        path: Where it is, as the user would type it.
        text: Its content.
        format: Extension of the file, such as ``.py``.
    """

    path: str
    text: str
    format: str

    @classmethod
    def read(cls, path: str, *, named_at: Location | None = None) -> Source:
        """Read a file.

        Args:
            path: Path of the file.
            named_at: Where another config names it as its base.

        Raises:
            FileNotFoundError: If it is not there.
            OSError: If its extension is none of `FORMATS`, or it cannot be read.
        """
        if os.path.isdir(path):
            message = f"{path!r} is a directory, not a config file"
            raise MissingConfigError(message, location=named_at)
        if not os.path.isfile(path):
            folder = os.path.dirname(path) or os.curdir
            if os.path.isdir(folder):
                advice = did_you_mean(Path(path).name, os.listdir(folder))
            else:
                advice = f"there is no directory {folder!r} either"
            message = f"there is no config file {path!r}"
            raise MissingConfigError(message, location=named_at, help=advice)
        extension = os.path.splitext(path)[1]
        check_format(extension, f"the config file {path!r}", named_at)
        text = _decoded(Path(path).read_bytes(), path, extension)
        return cls(path, text, extension)

    @property
    def absolute_path(self) -> str:
        """The path from the root, without a change of symbolic links."""
        return self.path if self.is_string else os.path.abspath(self.path)

    @property
    def is_string(self) -> bool:
        """Whether the text came from a string rather than from a file."""
        return self.path.startswith("<")

    def marked(self, parsed: str | None = None, templates: Sequence[str] = ()) -> MarkedText:
        """The text as marks need it.

        Args:
            parsed: The text with templates filled, if there are any.
            templates: Paths of the values of bases that templates stand for.
        """
        return MarkedText(self.path, self.text, self.text if parsed is None else parsed, templates)

    def location(self, line: int, column: int | None = None) -> Location:
        """A place in this file; lines and columns count from 1."""
        return Location(self.path, line, column)

    def place_in(self, parsed: str, line: int, column: int | None) -> Location:
        """A place in a text with templates filled; the column only where the line is the same."""
        lines = [text.split("\n")[line - 1 : line] for text in (self.text, parsed)]
        return self.location(line, column if lines[0] == lines[1] else None)

    def place_of(self, node: ast.AST) -> Location:
        """The place of a node of the syntax tree; the file's first line for what has none."""
        return self.location(getattr(node, "lineno", 1), getattr(node, "col_offset", 0) + 1)

    def location_of(self, offset: int) -> Location:
        """The place of a character, by its offset in the text."""
        before = self.text[:offset]
        return self.location(before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1)


def _decoded(content: bytes, path: str, extension: str) -> str:
    """The text of a file: UTF-8, or what the first lines of a Python file say."""
    try:
        encoding = "utf-8-sig"
        if extension == ".py":
            encoding, _ = tokenize.detect_encoding(io.BytesIO(content).readline)
        text = content.decode(encoding)
    except (UnicodeDecodeError, SyntaxError) as error:
        before = content[: error.start] if isinstance(error, UnicodeDecodeError) else b""
        raise ConfigSyntaxError(
            f"the file cannot be decoded: {error}",
            location=Location(path, before.count(b"\n") + 1),
            help="save it as UTF-8",
        ) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")


def check_format(extension: str, what: str, location: Location | None = None) -> None:
    """Refuse an extension that no config has.

    Raises:
        OSError: The extension is none of `FORMATS`.
    """
    if extension not in FORMATS:
        raise UnknownFormatError(
            f"{what} has the extension {extension!r}",
            location=location,
            help=f"a config is one of {' '.join(FORMATS)}",
        )


@dataclass(slots=True)
class LoadedConfig:
    """What a config file yields together with its bases.

    Attributes:
        values: The config.
        text: The text of the bases and of the file itself, each after a line with its path.
        sources: The files, bases before those that build on them.
        env_variables: Environment variables that were asked for, and what was put in their place.
        imported_names: Names that are in the config only because a file imports them.
        origins: Files that wrote each top-level key.
        namespace: Everything that a file which imports from this one can have.
        marks: Where the names of the namespace are written.
    """

    values: ConfigDict
    text: str
    sources: tuple[Source, ...]
    env_variables: dict[str, Any] = field(default_factory=dict)
    imported_names: set[str] = field(default_factory=set)
    origins: dict[str, tuple[str, ...]] = field(default_factory=dict)
    namespace: dict[str, Any] = field(default_factory=dict)
    marks: dict[Any, Mark] = field(default_factory=dict)

    @classmethod
    def of(
        cls, source: Source, bases: Iterable[LoadedConfig], values: ConfigDict, **more: Any
    ) -> LoadedConfig:
        """What a file yields that builds on others.

        Args:
            source: The file.
            bases: What its bases yield.
            values: The config.
            **more: Further attributes; of environment variables those of the file alone.
        """
        bases = list(bases)
        asked = [*(base.env_variables for base in bases), more.pop("env_variables", {})]
        more.setdefault("namespace", dict(dict.items(values)))
        more.setdefault("marks", key_marks(values))
        return cls(
            values=values,
            text=more.pop("text", source.text),
            sources=(*(part for base in bases for part in base.sources), source),
            env_variables={name: value for part in asked for name, value in part.items()},
            **more,
        )


FileReader = Callable[[str, Location | None, str | None], LoadedConfig]
"""Reads another config file, for one that builds on it.

It takes the path, the place that names it, and the scope of its package, if it is of another one.
"""


def check_acyclic(source: Source, stack: tuple[str, ...], named_at: Location | None) -> None:
    """Refuse a file that is its own base.

    Raises:
        RuntimeError: The file is already being read.
    """
    path = os.path.realpath(source.path)
    if path in stack:
        chain = " -> ".join(os.path.basename(part) for part in (*stack, path))
        raise ConfigParsingError(
            f"{source.path!r} is its own base: {chain}",
            location=named_at,
            help="take it out of _base_ in one of these files",
        )
