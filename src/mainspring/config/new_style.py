"""The new-style dialect: Python files that import their bases and classes instead of naming them.

A file runs with its own ``__import__``, so nothing outside of it is patched: modules of the
standard library are imported, other configs are read, and every other name becomes a `LazyObject`.
"""

from __future__ import annotations

import ast
import builtins
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.errors import (
    ConfigKeyError,
    ConfigParsingError,
    IllegalImportError,
    MissingConfigError,
)
from mainspring.config.external import resolve_base
from mainspring.config.lazy import LazyObject
from mainspring.config.run_source import compiled, executed, parsed
from mainspring.config.source import FileReader, LoadedConfig, Source
from mainspring.config.text import base_statement, is_machinery
from mainspring.errors import ConfigError, Location, did_you_mean
from mainspring.utils import get_installed_path, is_installed

__all__ = ["deciding_line", "load_new_style", "read_base"]


@contextmanager
def read_base() -> Iterator[None]:
    """Mark the imports of a block as imports from other configs.

    Inside of the block, ``from .base import *`` binds the variables of ``base.py``, and
    ``from package.configs.base import model`` one of an installed package.
    """
    yield


def deciding_line(tree: ast.Module) -> int | None:
    """The line that makes a Python file a new-style one; ``None`` for a file of the text dialect.

    A file with ``_base_ =`` is of the text dialect. Otherwise ``with read_base():``, a relative
    import or an import of a module outside of the standard library decides.
    """
    if base_statement(tree) is not None and not _base_blocks(tree):
        return None
    lines = [block.lineno for block in _base_blocks(tree)]
    lines += [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom) and not _imports_stdlib(node)
    ]
    return min(lines, default=None)


def load_new_style(source: Source, read_file: FileReader, stack: tuple[str, ...]) -> LoadedConfig:
    """Read a new-style file and its bases.

    Args:
        source: The file.
        read_file: Reads a base.
        stack: The files that are being read, this one last.

    Raises:
        ConfigError: The file or a base cannot be read, or does what a config may not do.
    """
    tree = parsed(source, source.text)
    _check(tree, source)
    importer = _Importer(source, _base_lines(tree), read_file, stack)
    private_builtins = {**vars(builtins), "__import__": importer}
    names: dict[str, Any] = {"__builtins__": private_builtins}
    with keeping_lazy():
        executed(compiled(tree, source), source, names)
    imported = _imported_names(tree) | importer.imported_names
    values = ConfigDict()
    for key, value in names.items():
        if not key.startswith("__") and not is_machinery(value):
            values[key] = value
    # What a file does not bind itself belongs to the file that it was imported from.
    origins: dict[str, tuple[str, ...]] = dict.fromkeys(values, (source.absolute_path,))
    for base in importer.bases.values():
        for key in set(base.origins).intersection(values):
            if dict.get(base.values, key) is dict.get(values, key):
                origins[key] = base.origins[key]
    functions = {key: value for key, value in names.items() if not key.startswith("__")}
    return LoadedConfig(
        values=values,
        text=source.text,
        sources=(*(s for base in importer.bases.values() for s in base.sources), source),
        env_variables={
            name: value
            for base in importer.bases.values()
            for name, value in base.env_variables.items()
        },
        imported_names={name for name in imported if name in values},
        origins=origins,
        namespace={**functions, **dict(dict.items(values))},
    )


class _Importer:
    """The ``__import__`` of one config file."""

    def __init__(
        self,
        source: Source,
        base_lines: set[int],
        read_file: FileReader,
        stack: tuple[str, ...],
    ) -> None:
        self.source = source
        self.base_lines = base_lines
        self.read_file = read_file
        self.stack = stack
        self.bases: dict[str, LoadedConfig] = {}
        self.imported_names: set[str] = set()

    def __call__(
        self,
        name: str,
        globals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        locals: Mapping[str, Any] | None = None,  # noqa: A002 - the signature of __import__
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        line = sys._getframe(1).f_lineno
        if level or line in self.base_lines:
            return self._config(name, fromlist or (), level, self.source.location(line))
        if _is_stdlib(name):
            return builtins.__import__(name, globals, locals, fromlist or (), level)
        package = name.partition(".")[0]
        place = f"{self.source.path}, line {line}"
        if not fromlist:
            return LazyObject(package, None, place)
        names: dict[str, Any] = {inner: LazyObject(name, inner, place) for inner in fromlist}
        if "read_base" in names and package in ("mainspring", "mmengine"):
            names["read_base"] = read_base
        return _Names(names, None)

    def _config(self, name: str, fromlist: Sequence[str], level: int, location: Location) -> _Names:
        path = self._path(name, level, location)
        loaded = self.bases.get(path)
        if loaded is None:
            try:
                loaded = self.read_file(path, named_at=location, stack=self.stack)
            except MissingConfigError as error:
                if error.location is not location:
                    raise
                raise MissingBaseError(
                    error.message, location=error.location, help=error.help
                ) from None
            self.bases[path] = loaded
        wanted = loaded.namespace if "*" in fromlist else fromlist
        self.imported_names.update(name for name in wanted if name in loaded.imported_names)
        return _Names(loaded.namespace, location)

    def _path(self, name: str, level: int, location: Location) -> str:
        parts = name.split(".") if name else []
        if level:
            folder = os.path.dirname(self.source.path)
            return os.path.normpath(
                os.path.join(folder, *[os.pardir] * (level - 1), *parts) + ".py"
            )
        package, *inner = parts
        if not is_installed(package):
            path, _ = resolve_base(f"{package}::{'/'.join(inner)}.py", self.source.path, location)
            return path
        plain = os.path.join(get_installed_path(package), *inner) + ".py"
        if os.path.isfile(plain):
            return plain
        # OpenMMLab's packages install `package.configs.x` as `.mim/configs/x`.
        below = inner[1:] if inner[:1] == ["configs"] else inner
        path, _ = resolve_base(f"{package}::{'/'.join(below)}.py", self.source.path, location)
        return path


class MissingBaseError(MissingConfigError, ConfigParsingError):
    """A file that ``with read_base():`` imports from is not there."""

    __str__ = ConfigError.__str__


class _Names:
    """What an import statement takes names from."""

    def __init__(self, names: Mapping[str, Any], location: Location | None) -> None:
        self.__dict__.update({"_names": names, "_location": location, "__all__": list(names)})

    def __getattr__(self, name: str) -> Any:
        names = self.__dict__["_names"]
        if name in names:
            return names[name]
        location = self.__dict__["_location"]
        if location is None or name.startswith("__"):
            raise AttributeError(name)
        raise ConfigKeyError(
            f"the base has no variable {name!r}",
            location=location,
            help=did_you_mean(name, names),
        )


def _is_stdlib(module: str) -> bool:
    return module.partition(".")[0] in sys.stdlib_module_names


def _imports_stdlib(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.ImportFrom):
        return not node.level and _is_stdlib(node.module or "")
    return all(_is_stdlib(alias.name) for alias in node.names)


def _base_blocks(tree: ast.Module) -> list[ast.With]:
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.With) and any(_is_read_base(item) for item in node.items)
    ]


def _is_read_base(item: ast.withitem) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", None)
    return name == "read_base"


def _base_lines(tree: ast.Module) -> set[int]:
    return {statement.lineno for block in _base_blocks(tree) for statement in block.body}


def _imported_names(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    base_lines = _base_lines(tree)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.asname or alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not (node.level or node.lineno in base_lines):
            names.update(alias.asname or alias.name for alias in node.names)
    return names


def _check(tree: ast.Module, source: Source) -> None:
    """Refuse what has no meaning in a config, before anything runs."""
    base = base_statement(tree)
    blocks = _base_blocks(tree)
    if base is not None:
        line = blocks[0].lineno if blocks else base.lineno
        raise ConfigParsingError(
            f"the file inherits in two ways: _base_ (line {base.lineno}) and imports (line {line})",
            location=source.location(base.lineno, base.col_offset + 1),
            help="keep one: `_base_ = [...]`, or `with read_base():` with imports of the bases",
        )
    base_lines = _base_lines(tree)
    for block in blocks:
        for statement in block.body:
            if not isinstance(statement, ast.ImportFrom):
                raise IllegalImportError(
                    "only `from base import name` may stand in `with read_base():`",
                    location=source.location(statement.lineno, statement.col_offset + 1),
                    help="move the line out of the block",
                )
    for node in ast.walk(tree):
        if not isinstance(node, ast.ImportFrom) or node.level or node.lineno in base_lines:
            continue
        if any(alias.name == "*" for alias in node.names):
            raise ConfigParsingError(
                f"`from {node.module} import *` outside of `with read_base():`",
                location=source.location(node.lineno, node.col_offset + 1),
                help="name what you import",
            )
