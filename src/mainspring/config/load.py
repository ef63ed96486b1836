"""Read a config file: choose its dialect, and read its bases, which may be of another one."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterable
from typing import Any

from mainspring.config.config_dict import ConfigDict
from mainspring.config.errors import ConfigParsingError
from mainspring.config.external import with_scope
from mainspring.config.parse import is_dump, parse_dump
from mainspring.config.run_source import parsed
from mainspring.config.source import LoadedConfig, ReadOptions, Source, check_acyclic
from mainspring.errors import ConfigError, Location

__all__ = ["load_source"]

_DEEPEST = 100
_MOST_VALUES = 1_000_000
_MAY_BE_RECORDED = re.compile(r"^\s*(from|import|with)\b|;\s*(from|import|with)\b", re.MULTILINE)


def load_source(
    source: Source, options: ReadOptions, *, lazy_import: bool | None = None
) -> LoadedConfig:
    """Read a config and its bases.

    Args:
        source: The file.
        options: What is replaced in the text of text-style files.
        lazy_import: Whether the file is a new-style one; ``None`` to look.

    Raises:
        ConfigError: The file or a base cannot be read, see `load_text` and `load_recorded`.
    """
    from mainspring.config.recorded import load_recorded
    from mainspring.config.text import load_text

    def read_file(
        path: str,
        *,
        named_at: Location | None,
        stack: tuple[str, ...],
        scope: str | None = None,
    ) -> LoadedConfig:
        base = Source.read(path, named_at=named_at)
        check_acyclic(base, stack, named_at)
        loaded = load(base, stack, None)
        if scope is not None:
            with_scope(loaded.values, scope)
        return loaded

    def load(file: Source, stack: tuple[str, ...], lazy: bool | None) -> LoadedConfig:
        inner = (*stack, os.path.realpath(file.path))
        if file.format == ".py" and is_dump(file.text):
            return _load_dump(file)
        if _is_recorded(file, lazy):
            return load_recorded(file, options, read_file, inner)
        return load_text(file, options, read_file, inner)

    try:
        loaded = load(source, (), lazy_import)
        _check_depth(loaded.values, source)
    except RecursionError as error:
        raise _too_deep(source) from error
    return loaded


def _check_depth(values: Any, source: Source) -> None:
    """Refuse values that hold themselves, or that nothing could print or copy."""
    level = [values]
    for _ in range(_DEEPEST):
        level = [item for part in level for item in _inside(part)]
        if not level:
            return
        if len(level) > _MOST_VALUES:
            break
    raise _too_deep(source)


def _inside(part: Any) -> Iterable[Any]:
    """The containers that a container holds."""
    items: Iterable[Any] = dict.values(part) if isinstance(part, dict) else part
    return [item for item in items if isinstance(item, dict | list | tuple)]


def _too_deep(source: Source) -> ConfigError:
    return ConfigError(
        f"values are nested deeper than {_DEEPEST} levels, or hold themselves",
        location=source.location(1),
    )


def _load_dump(source: Source) -> LoadedConfig:
    values = ConfigDict(parse_dump(source.text, source.path))
    return LoadedConfig(
        values=values,
        text=source.text,
        sources=(source,),
        origins=dict.fromkeys(values, (source.absolute_path,)),
        namespace=dict(dict.items(values)),
    )


def _is_recorded(source: Source, asked: bool | None) -> bool:
    if source.format != ".py":
        return False
    if asked is None and not _MAY_BE_RECORDED.search(source.text):
        return False
    from mainspring.config.recorded import deciding_line
    from mainspring.config.text import base_statement

    try:
        line = deciding_line(source)
    except SyntaxError:
        # Templates are no Python before they are filled, and only the text dialect has them.
        return bool(asked)
    if asked is None:
        return line is not None
    tree = parsed(source, source.text)
    base = base_statement(tree)
    if asked and base is not None:
        raise ConfigParsingError(
            "lazy_import=True, but the file inherits with _base_",
            location=source.location(base.lineno, base.col_offset + 1),
            help="import the bases inside of `with read_base():`, or leave lazy_import out",
        )
    if not asked and line is not None and _imports_configs(tree):
        raise ConfigParsingError(
            "lazy_import=False, but the file imports from other configs",
            location=source.location(line),
            help="name them in _base_, or leave lazy_import out",
        )
    return asked


def _imports_configs(tree: ast.Module) -> bool:
    return any(isinstance(node, ast.ImportFrom) and node.level for node in ast.walk(tree))
