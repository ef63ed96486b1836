"""The text dialect: ``_base_``, ``_delete_`` and ``{{ }}`` in Python, YAML, JSON and TOML files."""

from __future__ import annotations

import ast
import builtins
import io
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from types import CodeType, FunctionType, ModuleType
from typing import Any

from mainspring.config.config_dict import ConfigDict, duplicate, keeping_lazy
from mainspring.config.external import resolve_base
from mainspring.config.merge import join_bases, merge
from mainspring.config.provenance.instrument import Site, instrumented
from mainspring.config.provenance.marking import Marker
from mainspring.config.provenance.marks import MarkedText, session
from mainspring.config.provenance.places import locate
from mainspring.config.recorded_python.lint import (
    BASE_KEY,
    base_statement,
    check_values_only,
    sets_base,
)
from mainspring.config.recorded_python.recording import CONFIG_MODULE
from mainspring.config.recorded_python.run_source import Namespace, compiled, executed, parsed
from mainspring.config.source import FileReader, LoadedConfig, ReadOptions, Source
from mainspring.config.text_dialect.data_files import Written, mark_data, read_data
from mainspring.config.text_dialect.template import BaseValues, fill_text, with_secrets_marked
from mainspring.errors import ConfigError, ConfigKeyError, ConfigTypeError, Location
from mainspring.names import with_names_marked

__all__ = ["DEPRECATION_KEY", "bases_of_python", "is_machinery", "load_text", "program_of"]

DEPRECATION_KEY = "_deprecation_"


def load_text(
    source: Source, options: ReadOptions, read_file: FileReader, *, for_data: bool = False
) -> LoadedConfig:
    """Read a file of the text dialect and its bases.

    Args:
        source: The file.
        options: What is replaced in its text.
        read_file: Reads a base.
        for_data: Whether it is a base of a file of data, which has no programs as bases.

    Raises:
        ConfigError: The file or a base cannot be read; subclasses are also `FileNotFoundError`,
            `SyntaxError`, `KeyError` and `TypeError`.
    """
    env_variables: dict[str, Any] = {}
    text = fill_text(source, options, env_variables)
    templates = BaseValues(source, text)
    marked = source.marked(templates.text, templates.paths)
    program: Program | None = None
    content: dict[str, Any] = {}
    written = Written()
    if source.format == ".py":
        if for_data:
            check_values_only(parsed(source, templates.text), source)
        program = program_of(source, source.absolute_path, templates.text, templates.paths)
        entries, location = program.bases, program.location
    else:
        content, written = read_data(source, marked)
        content.pop("$schema", None)  # for the editor
        listed = written.keys.get(BASE_KEY, Written())
        location = listed.value.location if listed.value is not None else None
        places = [item.spot.location for item in listed.items if item.spot is not None]
        entries = _listed(content.pop(BASE_KEY, None), location, places)

    bases: list[LoadedConfig] = []
    for entry, place in entries:
        path, scope = resolve_base(entry, source.path, place)
        bases.append(read_file(path, place, scope))
    base = join_bases(bases, location)
    with session() as current:
        if program is not None:
            content = _run(program, source, templates, base, options)
        else:
            content = templates.fill_values(content, base)
            content = {key: options.value_of(key, value) for key, value in content.items()}
        if program is None or for_data:
            content = with_names_marked(with_secrets_marked(content, env_variables, source))
        if program is None:
            mark_data(content, written, current)
        _warn_of_deprecation(content, source)
        own: ConfigDict = duplicate(content, {})
        values = own
        try:
            values = merge(base, own) if bases else own
        except (ConfigTypeError, ConfigKeyError) as error:
            if error.config_path is not None:
                error.location = locate(own, error.config_path)
            raise
        return _result(source, values, own, bases, env_variables)


Bases = list[tuple[str, Location | None]]
"""What a file names as its bases, and where it names each."""


@dataclass(frozen=True, slots=True)
class Program:
    """What is the same whenever a Python file of this text is run.

    Attributes:
        code: The file without its ``_base_`` statement, with calls that set marks.
        sites: What these calls report, see `Marker`.
        text: The text.
        bases: What ``_base_`` names.
        location: Where.
    """

    code: CodeType
    sites: list[Site]
    text: MarkedText
    bases: Bases
    location: Location | None


@lru_cache(maxsize=256)
def program_of(
    source: Source, _absolute_path: str, text: str, templates: tuple[str, ...] = (), flags: int = 0
) -> Program:
    """Prepare a Python file to run.

    Args:
        source: The file.
        _absolute_path: Where it lies: a relative path may lead elsewhere later.
        text: Its text with templates filled.
        templates: Paths of the values of the bases that templates stand for.
        flags: Of future statements that hold for it.

    Raises:
        ConfigError: It is not valid Python, or its bases cannot be known.
    """
    tree, bases, location = bases_of_python(parsed(source, text), source)
    marked = source.marked(text, templates)
    tree, sites = instrumented(tree, marked)
    return Program(compiled(tree, source, flags), sites, marked, bases, location)


def bases_of_python(tree: ast.Module, source: Source) -> tuple[ast.Module, Bases, Location | None]:
    """The bases of a Python file.

    Returns:
        The file without the statement, since ``_base_`` is the name of the bases' values while it
        runs; what the statement names; and where its list is.
    """
    node = base_statement(tree)
    for inner in ast.walk(tree) if BASE_KEY in source.text else ():
        if sets_base(inner) and inner not in tree.body:
            raise ConfigError(
                "_base_ is assigned inside of another statement",
                location=source.place_of(inner),
                help="assign it at the top level of the file",
            )
    if node is None or node.value is None:
        return tree, [], None
    rest = ast.Module([other for other in tree.body if not sets_base(other)], tree.type_ignores)
    location = source.place_of(node.value)
    try:
        value = eval(compile(ast.Expression(node.value), source.absolute_path, "eval"), {})
    except Exception as error:
        raise ConfigError(
            f"_base_ cannot be evaluated: {error}",
            location=location,
            help="it is read before the rest of the file: write a path or a list of paths",
        ) from error
    nodes = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
    return rest, _listed(value, location, [source.place_of(item) for item in nodes]), location


def _listed(value: Any, location: Location | None, places: Sequence[Location]) -> Bases:
    """What ``_base_`` names, each with its place; that of all where they have none of their own."""
    if value is None:
        return []
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(e, str) for e in entries):
        raise ConfigTypeError(
            f"_base_ is {value!r}", location=location, help="it is a path or a list of paths"
        )
    own = places if len(places) == len(entries) else [location] * len(entries)
    return list(zip(entries, own, strict=True))


def _run(
    program: Program, source: Source, templates: BaseValues, base: ConfigDict, options: ReadOptions
) -> dict[str, Any]:
    names: dict[str, Any] = {BASE_KEY: base, **templates.names(base)}
    added = set(names)
    marker = Marker(program.sites, names, program.text)
    names["__builtins__"] = {**vars(builtins), **marker.words}
    with keeping_lazy():
        executed(program.code, source, names, Namespace(names, options))
    values = {
        key: value
        for key, value in names.items()
        if key not in added and not str(key).startswith("__") and not is_machinery(value)
    }
    marker.give_marks(values)
    return values


def is_machinery(value: Any) -> bool:
    """Whether a name is no value: a module, a function or class of the file, a file it has read."""
    if isinstance(value, type):
        return value.__module__ == CONFIG_MODULE
    if isinstance(value, io.IOBase):
        return value.closed
    kinds = (ModuleType, FunctionType, type(lru_cache(int)))
    return isinstance(value, kinds) or (type(value).__module__ == "__future__")


def _warn_of_deprecation(content: dict[str, Any], source: Source) -> None:
    notice = content.pop(DEPRECATION_KEY, None)
    if notice is None:
        return
    text = f"The config file {source.path} will be deprecated in the future."
    if isinstance(notice, dict) and "expected" in notice:
        text += f" Please use {notice['expected']} instead."
    if isinstance(notice, dict) and "reference" in notice:
        text += f" More information can be found at {notice['reference']}"
    warnings.warn(text, DeprecationWarning, stacklevel=2)


def _result(
    source: Source,
    values: ConfigDict,
    own: ConfigDict,
    bases: Sequence[LoadedConfig],
    env_variables: dict[str, Any],
) -> LoadedConfig:
    origins = {key: files for base in bases for key, files in base.origins.items()}
    origins |= {key: (*origins.get(key, ()), source.absolute_path) for key in own}
    own_text = f"{source.absolute_path}\n{source.text}"
    return LoadedConfig.of(
        source,
        bases,
        values,
        text="\n".join([*(base.text for base in bases), own_text]),
        env_variables=env_variables,
        imported_names={name for base in bases for name in base.imported_names} - set(own),
        origins=origins,
    )
