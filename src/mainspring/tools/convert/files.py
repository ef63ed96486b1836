"""The files that a config is made of: how each names its bases, and where the new ones go."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from mainspring.config.external import resolve_base
from mainspring.config.load import load_source
from mainspring.config.printing.plain import is_name
from mainspring.config.recorded_python.lint import BASE_KEY, Outline
from mainspring.config.recorded_python.recorded import deciding_line
from mainspring.config.source import LoadedConfig, ReadOptions, Source
from mainspring.config.text_dialect.data_files import read_data
from mainspring.config.text_dialect.template import BASE_VALUE, BaseValues, fill_text
from mainspring.config.text_dialect.text import bases_of_python
from mainspring.errors import ConfigSyntaxError, UnknownFormatError
from mainspring.tools.convert.imports import Imports

__all__ = ["Base", "OldFile", "base_statement", "new_paths", "read_chain", "staged_paths"]

Dialect = Literal["text", "data", "new", "recorded"]


@dataclass(frozen=True, slots=True)
class Base:
    """One base of a file.

    Attributes:
        written: As the file names it.
        path: Path of the base.
        is_external: Whether it is of an installed package, and stays where it is.
        statement: The statement that imports it; ``None`` where no import names it.
        names: What that statement takes, and what it calls it; ``None`` for all names.
    """

    written: str
    path: str
    is_external: bool = False
    statement: str | None = None
    names: Mapping[str, str] | None = None


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
    with suppress(ConfigSyntaxError):
        if deciding_line(source) is not None:
            return "recorded" if Outline(ast.parse(source.text)).is_ours else "new"
    return "text"


def _bases(source: Source, dialect: Dialect) -> Iterator[Base]:
    if dialect == "data":
        templates = BaseValues(source, fill_text(source, ReadOptions(), {}))
        found = read_data(source, source.marked(templates.text))[0].get(BASE_KEY, [])
        written = [found] if isinstance(found, str) else list(found)
    else:
        text = fill_text(source, ReadOptions(), {}) if dialect == "text" else source.text
        tree = ast.parse(BASE_VALUE.sub("None", text))
        written = [name for name, _ in bases_of_python(tree, source)[1]]
        for node in ast.walk(tree) if dialect != "text" else ():
            if isinstance(node, ast.ImportFrom) and node.level:
                yield from _imported_bases(node, source)
            elif isinstance(node, ast.Call) and ast.unparse(node.func) == "include":
                written += [str(it.value) for it in node.args if isinstance(it, ast.Constant)]
    for entry in written:
        path, _ = resolve_base(entry, source.path, None)
        yield Base(entry, path, is_external="::" in entry)


def _imported_bases(node: ast.ImportFrom, source: Source) -> Iterator[Base]:
    """The bases of a relative import: its module, or what it takes from a package."""
    parts = node.module.split(".") if node.module else []
    names = {alias.name: alias.asname or alias.name for alias in node.names}
    wanted = names if parts and "*" not in names else None
    folder = os.path.join(os.path.dirname(source.path), *[os.pardir] * (node.level - 1))
    for module in [parts] if parts else [[name] for name in names]:
        path = os.path.normpath(os.path.join(folder, *module) + ".py")
        written = "." * node.level + ".".join(module)
        yield Base(written, path, statement=ast.unparse(node), names=wanted)


def new_paths(files: Sequence[OldFile], new: str) -> dict[str, str]:
    """The path of each new file.

    Args:
        files: The old files, the config itself last.
        new: A directory, or the path of the new config; its bases go where they are relative to it.

    Returns:
        New paths by the keys of the old files.

    Raises:
        OSError: ``new`` has the extension of something else.
    """
    *bases, config = files
    folder, stem = os.path.split(os.path.abspath(config.source.path))
    if os.path.isdir(new) or new.endswith(("/", os.sep)) or not os.path.splitext(new)[1]:
        every = [os.path.dirname(os.path.abspath(file.source.path)) for file in files]
        root = os.path.commonpath(every)
        start = os.path.join(new, os.path.relpath(folder, root))
        target = os.path.join(start, f"{os.path.splitext(stem)[0]}.py")
    elif new.endswith(".py"):
        start, target = os.path.dirname(new), new
    else:
        raise UnknownFormatError(
            f"the new config {new!r} is no Python file",
            help="a recorded config is a .py file; or name a directory",
        )
    paths = {config.key: os.path.normpath(target)}
    for base in bases:
        relative = os.path.relpath(os.path.abspath(base.source.path), folder)
        name, extension = os.path.splitext(relative)
        # Names that ``import`` takes, so that editors see what a base defines.
        parts = (it if it == os.pardir else re.sub(r"\W", "_", it) for it in name.split(os.sep))
        name = os.sep.join(it if it == os.pardir or is_name(it) else f"_{it}" for it in parts)
        path = os.path.normpath(os.path.join(start, f"{name}.py"))
        if path in paths.values():
            path = os.path.normpath(os.path.join(start, f"{name}_{extension[1:]}.py"))
        paths[base.key] = path
    return paths


def staged_paths(paths: dict[str, str], folder: str) -> dict[str, str]:
    """The same layout in another directory.

    Args:
        paths: New paths by the keys of the old files.
        folder: The directory.
    """
    absolute = {key: os.path.abspath(path) for key, path in paths.items()}
    root = os.path.commonpath([os.path.dirname(path) for path in absolute.values()])
    return {
        key: os.path.join(folder, os.path.relpath(path, root)) for key, path in absolute.items()
    }


def base_statement(base: Base, own: str, paths: Mapping[str, str], imports: Imports) -> str:
    """The statement by which a new file builds on a base.

    Args:
        base: The base.
        own: Path of the new file.
        paths: New paths by the keys of the old files.
        imports: Is given the word, if one is needed.
    """
    if base.statement is not None:
        return base.statement
    written = base.written
    if not base.is_external:
        target = os.path.abspath(paths[os.path.realpath(base.path)])
        relative = os.path.relpath(target, os.path.dirname(os.path.abspath(own)))
        relative = relative.replace(os.sep, "/")
        parts = relative.removesuffix(".py").split("/")
        up = parts.count("..")
        if all(map(is_name, parts[up:])):
            return f"from {'.' * (up + 1)}{'.'.join(parts[up:])} import *"
        written = relative if relative.startswith("..") else f"./{relative}"
    return f'{imports.word("include")}("{written}")'
