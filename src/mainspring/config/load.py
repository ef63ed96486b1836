"""Read a config file: choose its dialect, and read its bases, which may be of another one."""

from __future__ import annotations

import ast
import functools
import os
import re
import traceback
from typing import Any

from mainspring.config.external import with_scope
from mainspring.config.printing.parse import is_dump, parse_dump
from mainspring.config.printing.sharing import MOST_VALUES
from mainspring.config.provenance.marks import session
from mainspring.config.recorded_python.recording import CONFIG_MODULE
from mainspring.config.recorded_python.run_source import parsed
from mainspring.config.source import LoadedConfig, ReadOptions, Source, check_acyclic
from mainspring.errors import ConfigError, ConfigParsingError, Location
from mainspring.names import refuse_trust
from mainspring.walk import items_of

__all__ = ["is_data", "load_source"]

_DEEPEST = 100
_MAY_BE_RECORDED = re.compile(r"^\s*(from|import|with)\b|;\s*(from|import|with)\b", re.MULTILINE)


def is_data(source: Source) -> bool:
    """Whether a file is data, which is read without running anything, rather than a program."""
    return source.format != ".py" or is_dump(source.text)


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
    from mainspring.config.recorded_python.recorded import load_recorded
    from mainspring.config.text_dialect.text import load_text

    def read_file(
        child: Source,
        stack: tuple[str, ...],
        path: str,
        named_at: Location | None,
        scope: str | None,
    ) -> LoadedConfig:
        base = Source.read(path, named_at=named_at)
        if is_data(child) or child.path in for_data:
            for_data.add(base.path)
        check_acyclic(base, stack, named_at)
        loaded = load(base, stack, None)
        if is_data(base) and base.path not in for_data:
            refuse_trust(loaded.values)
        if scope is not None:
            with_scope(loaded.values, scope)
        return loaded

    def load(file: Source, stack: tuple[str, ...], lazy: bool | None) -> LoadedConfig:
        read_base = functools.partial(read_file, file, (*stack, os.path.realpath(file.path)))
        if file.format == ".py" and is_data(file):
            values = parse_dump(file.text, file.path)
            origins = dict.fromkeys(values, (file.absolute_path,))
            return LoadedConfig.of(file, (), values, origins=origins)
        is_for_data = file.path in for_data
        if not is_for_data and _is_recorded(file, lazy):
            return load_recorded(file, options, read_base)
        return load_text(file, options, read_base, for_data=is_for_data)

    for_data: set[str] = set()
    try:
        with session() as current:
            loaded = load(source, (), lazy_import)
            _check_depth(loaded.values, source)
            current.finish(loaded.values, set())
    except RecursionError as error:
        frames = [frame.f_globals for frame, _ in traceback.walk_tb(error.__traceback__)]
        if sum(names.get("__name__") == CONFIG_MODULE for names in frames) > _DEEPEST:
            raise  # a function of the file calls itself
        raise _too_deep(source) from error
    return loaded


def _check_depth(values: Any, source: Source) -> None:
    """Refuse values that hold themselves, or that nothing could print or copy."""
    level = [values]
    for _ in range(_DEEPEST):
        inside = (item for part in level for _, item in items_of(part))
        level = [item for item in inside if isinstance(item, dict | list | tuple)]
        if not level:
            return
        if len(level) > MOST_VALUES:
            break
    raise _too_deep(source)


def _too_deep(source: Source) -> ConfigError:
    return ConfigError(
        f"values are nested deeper than {_DEEPEST} levels, or hold themselves",
        location=source.location(1),
    )


def _is_recorded(source: Source, asked: bool | None) -> bool:
    if source.format != ".py":
        return False
    if asked is None and not _MAY_BE_RECORDED.search(source.text):
        return False
    from mainspring.config.recorded_python.lint import base_statement
    from mainspring.config.recorded_python.recorded import deciding_line

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
            location=source.place_of(base),
            help="import the bases inside of `with read_base():`, or leave lazy_import out",
        )
    imports = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    if not asked and line is not None and any(node.level for node in imports):
        raise ConfigParsingError(
            "lazy_import=False, but the file imports from other configs",
            location=source.location(line),
            help="name them in _base_, or leave lazy_import out",
        )
    return asked
