"""The files that a config is made of, and how each names its bases."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from mainspring.config.external import resolve_base
from mainspring.config.lint import Outline
from mainspring.config.load import load_source
from mainspring.config.recorded import deciding_line
from mainspring.config.source import LoadedConfig, ReadOptions, Source
from mainspring.config.template import BASE_VALUE, BaseValues, fill_text
from mainspring.config.text import BASE_KEY, bases_of_python
from mainspring.config.text import _data as parse_data
from mainspring.errors import ConfigSyntaxError

__all__ = ["Base", "OldFile", "read_chain"]

Dialect = Literal["text", "data", "new", "recorded"]


@dataclass(frozen=True, slots=True)
class Base:
    """One base of a file.

    Attributes:
        written: As the file names it.
        path: Path of the base.
        is_external: Whether it is of an installed package, and stays where it is.
    """

    written: str
    path: str
    is_external: bool


@dataclass(frozen=True, slots=True)
class OldFile:
    """One file of an old config.

    Attributes:
        source: Its path and text.
        dialect: Text style, data (YAML, JSON, TOML), new style, or recorded already.
        bases: What it builds on.
        loaded: What it yields together with its bases.
    """

    source: Source
    dialect: Dialect
    bases: tuple[Base, ...]
    loaded: LoadedConfig

    @property
    def key(self) -> str:
        """The real path, which tells files apart."""
        return os.path.realpath(self.source.path)


def read_chain(path: str) -> list[OldFile]:
    """Read a config and its bases, as far as they are files of the same project.

    Args:
        path: Path of the config.

    Returns:
        The files, bases before those that build on them, the config itself last.

    Raises:
        ConfigError: One of them cannot be read.
    """
    files: dict[str, OldFile] = {}

    def collect(path: str) -> None:
        source = Source.read(path)
        if os.path.realpath(path) not in files:
            # A cycle among the bases is an error of the loader.
            loaded = load_source(source, ReadOptions(outermost=path))
            dialect = _dialect(source)
            bases = tuple(_bases(source, dialect))
            for base in bases:
                if not base.is_external:
                    collect(base.path)
            files[os.path.realpath(path)] = OldFile(source, dialect, bases, loaded)

    collect(path)
    return list(files.values())


def _dialect(source: Source) -> Dialect:
    if source.format != ".py":
        return "data"
    try:
        if deciding_line(source) is None:
            return "text"
    except ConfigSyntaxError:
        return "text"
    return "recorded" if Outline(ast.parse(source.text)).is_ours else "new"


def _bases(source: Source, dialect: Dialect) -> Iterator[Base]:
    if dialect == "data":
        templates = BaseValues(source, fill_text(source, ReadOptions(), {}))
        found = parse_data(source, source.marked(templates.text))[0].get(BASE_KEY, [])
        written = [found] if isinstance(found, str) else list(found)
    else:
        text = fill_text(source, ReadOptions(), {}) if dialect == "text" else source.text
        tree = ast.parse(BASE_VALUE.sub("None", text))
        written = [name for name, _ in bases_of_python(tree, source)[1]]
        if dialect != "text":
            yield from _imported_bases(tree, source)
    for entry in written:
        yield _base(entry, source)


def _base(written: str, source: Source) -> Base:
    path, _ = resolve_base(written, source.path, None)
    return Base(written, path, is_external="::" in written)


def _imported_bases(tree: ast.Module, source: Source) -> Iterator[Base]:
    folder = os.path.dirname(source.path)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            parts = node.module.split(".") if node.module else []
            names = [[]] if parts else [[alias.name] for alias in node.names]
            for name in names:
                relative = os.path.join(*[os.pardir] * (node.level - 1), *parts, *name) + ".py"
                path = os.path.normpath(os.path.join(folder, relative))
                yield Base("." * node.level + ".".join([*parts, *name]), path, is_external=False)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "include":
            for written in node.args:
                if isinstance(written, ast.Constant):
                    yield _base(str(written.value), source)
