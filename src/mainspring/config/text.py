"""The text dialect: ``_base_``, ``_delete_`` and ``{{ }}`` in Python, YAML, JSON and TOML files."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Sequence
from types import FunctionType, ModuleType
from typing import Any, TypeGuard

from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.data_formats import revive
from mainspring.config.errors import (
    ConfigAttributeError,
    ConfigKeyError,
    ConfigTypeError,
)
from mainspring.config.external import resolve_base
from mainspring.config.locate import locate_in_source
from mainspring.config.merge import join_bases, merge
from mainspring.config.namespace import Namespace
from mainspring.config.recording import CONFIG_MODULE
from mainspring.config.run_source import compiled, executed, parsed
from mainspring.config.source import FileReader, LoadedConfig, ReadOptions, Source
from mainspring.config.template import BaseValues, fill_text
from mainspring.errors import ConfigError, ConfigSyntaxError, Location

__all__ = ["DEPRECATION_KEY", "base_statement", "bases_of_python", "is_machinery", "load_text"]

BASE_KEY = "_base_"
DEPRECATION_KEY = "_deprecation_"


def load_text(
    source: Source, options: ReadOptions, read_file: FileReader, stack: tuple[str, ...]
) -> LoadedConfig:
    """Read a file of the text dialect and its bases.

    Args:
        source: The file.
        options: What is replaced in its text.
        read_file: Reads a base.
        stack: The files that are being read, this one last.

    Raises:
        ConfigError: The file or a base cannot be read; subclasses are also `FileNotFoundError`,
            `SyntaxError`, `KeyError` and `TypeError`.
    """
    env_variables: dict[str, Any] = {}
    text = fill_text(source, options, env_variables)
    templates = BaseValues(source, text)
    tree: ast.Module | None = None
    content: dict[str, Any] = {}
    if source.format == ".py":
        tree = parsed(source, templates.text)
        tree, written, location = bases_of_python(tree, source)
    else:
        content = _data(source, templates.text)
        written, location = _listed(content.pop(BASE_KEY, None), None), None
        if written:
            location = locate_in_source(source, [BASE_KEY])

    bases = [_read_base(entry, source, location, read_file, stack) for entry in written]
    base = join_bases(bases, location)
    if tree is not None:
        content = _run(tree, source, templates, base, options)
    else:
        content = templates.fill_values(content, base)
        content = {key: options.value_of(key, value) for key, value in content.items()}
    _warn_of_deprecation(content, source)
    own = ConfigDict()
    for key, value in content.items():
        own[key] = _unshared(value)
    values = _merged(base, own, source) if bases else own
    return _result(source, values, own, bases, env_variables)


def base_statement(tree: ast.Module) -> ast.Assign | ast.AnnAssign | None:
    """The first statement at the top level of a Python file that sets ``_base_``."""
    return next((node for node in tree.body if _is_base(node)), None)


def _is_base(node: ast.AST) -> TypeGuard[ast.Assign | ast.AnnAssign]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.AnnAssign):
        targets = [node.target] if node.value is not None else []
    elif isinstance(node, ast.Assign):
        targets = node.targets
    return [target.id for target in targets if isinstance(target, ast.Name)] == [BASE_KEY]


def bases_of_python(
    tree: ast.Module, source: Source
) -> tuple[ast.Module, list[str], Location | None]:
    """The bases of a Python file.

    Returns:
        The file without the statement, since ``_base_`` is the name of the bases' values while it
        runs; what the statement names; and where.
    """
    node = base_statement(tree)
    for inner in ast.walk(tree) if BASE_KEY in source.text else ():
        if _is_base(inner) and inner not in tree.body:
            raise ConfigError(
                "_base_ is assigned inside of another statement",
                location=source.location(inner.lineno, inner.col_offset + 1),
                help="assign it at the top level of the file",
            )
    if node is None or node.value is None:
        return tree, [], None
    rest = ast.Module([other for other in tree.body if not _is_base(other)], tree.type_ignores)
    location = source.location(node.value.lineno, node.value.col_offset + 1)
    try:
        value = ast.literal_eval(node.value)
    except ValueError:
        value = _evaluated(node.value, source, location)
    return rest, _listed(value, location), location


def _evaluated(node: ast.expr, source: Source, location: Location) -> Any:
    try:
        return eval(compile(ast.Expression(node), source.absolute_path, "eval"), {})
    except Exception as error:
        raise ConfigError(
            f"_base_ cannot be evaluated: {error}",
            location=location,
            help="it is read before the rest of the file: write a path or a list of paths",
        ) from error


def _listed(value: Any, location: Location | None) -> list[str]:
    if value is None:
        return []
    entries = [value] if isinstance(value, str) else value
    if not isinstance(entries, list | tuple) or not all(isinstance(e, str) for e in entries):
        raise ConfigTypeError(
            f"_base_ is {value!r}", location=location, help="it is a path or a list of paths"
        )
    return list(entries)


def _read_base(
    written: str,
    source: Source,
    location: Location | None,
    read_file: FileReader,
    stack: tuple[str, ...],
) -> LoadedConfig:
    path, scope = resolve_base(written, source.path, location)
    return read_file(path, named_at=location, stack=stack, scope=scope)


def _run(
    tree: ast.Module,
    source: Source,
    templates: BaseValues,
    base: ConfigDict,
    options: ReadOptions,
) -> dict[str, Any]:
    names: dict[str, Any] = {BASE_KEY: base, **templates.names(base)}
    added = set(names)
    with keeping_lazy():
        executed(compiled(tree, source), source, names, Namespace(names, options))
    return {
        key: value
        for key, value in names.items()
        if key not in added and not key.startswith("__") and not is_machinery(value)
    }


def is_machinery(value: Any) -> bool:
    """Whether a name of a config file is no value: a module, a function or class of the file."""
    if isinstance(value, type):
        return value.__module__ == CONFIG_MODULE
    return isinstance(value, ModuleType | FunctionType) or (type(value).__module__ == "__future__")


def _data(source: Source, text: str) -> dict[str, Any]:
    content = revive(_read_data(source, text))
    if not isinstance(content, dict):
        raise ConfigAttributeError(
            f"a config is a mapping of keys to values, but the file holds {content!r:.60}",
            location=source.location(1),
        )
    return content


def _read_data(source: Source, text: str) -> Any:
    try:
        return _parse_data(source, text)
    except ConfigError:
        raise
    except RecursionError as error:
        raise ConfigSyntaxError(
            "the file is nested too deep to be read", location=source.location(1)
        ) from error
    except (ValueError, TypeError, AttributeError) as error:
        # What the parsers of these formats let through: numbers and dates that are none.
        raise ConfigSyntaxError(
            f"a value of the file cannot be read: {error}", location=source.location(1)
        ) from error


def _parse_data(source: Source, text: str) -> Any:
    if source.format == ".json":
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            place = source.location(error.lineno, error.colno)
            raise ConfigSyntaxError(f"not valid JSON: {error.msg}", location=place) from error
    if source.format == ".toml":
        import tomllib

        try:
            return tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            found = re.search(r"line (\d+), column (\d+)", str(error))
            # Without a line the mistake is at the end of the file.
            line, column = map(int, found.groups()) if found else (text.count("\n") + 1, None)
            raise ConfigSyntaxError(
                f"not valid TOML: {str(error).partition(' (at')[0]}",
                location=source.location(line, column),
            ) from error
    import yaml

    try:
        loader = _yaml_loader()(text)
        node = loader.get_single_node()
        if node is None:
            return None
        _check_size(node, source)
        return loader.construct_document(node)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = source.location(mark.line + 1, mark.column + 1) if mark else source.location(1)
        problem = getattr(error, "problem", None) or str(error)
        raise ConfigSyntaxError(f"not valid YAML: {problem}", location=place) from error


_MOST_VALUES = 1_000_000


def _check_size(root: Any, source: Source) -> None:
    """Refuse aliases that make a small file stand for endlessly many values."""
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: Any) -> int:
        known = sizes.get(id(node))
        if known is not None:
            return known
        place = source.location(node.start_mark.line + 1, node.start_mark.column + 1)
        if id(node) in open_nodes:
            raise ConfigError("an alias stands inside of what it names", location=place)
        open_nodes.add(id(node))
        inner = [] if isinstance(node.value, str) else node.value
        parts = [
            part for entry in inner for part in (entry if isinstance(entry, tuple) else (entry,))
        ]
        total = 1 + sum(size(part) for part in parts)
        if total > _MOST_VALUES:
            raise ConfigError(
                f"the aliases of the file stand for more than {_MOST_VALUES} values", location=place
            )
        open_nodes.discard(id(node))
        sizes[id(node)] = total
        return total

    size(root)


def _yaml_loader() -> Any:
    """A safe loader that also reads tuples, as `Config.dump` writes them."""
    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]  # - chosen at run time
        pass

    Loader.add_constructor(
        "tag:yaml.org,2002:python/tuple",
        lambda loader, node: tuple(loader.construct_sequence(node, deep=True)),
    )
    return Loader


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


def _unshared(value: Any) -> Any:
    """A copy of the dicts, lists and tuples in a value, so that no two keys share one."""
    if isinstance(value, dict):
        if type(value) is not dict and not isinstance(value, ConfigDict):
            return value
        result = value.empty_copy() if isinstance(value, ConfigDict) else ConfigDict()
        for key, item in dict.items(value):
            dict.__setitem__(result, key, _unshared(item))
        return result
    if type(value) in (list, tuple):
        return type(value)(_unshared(item) for item in value)
    return value


def _merged(base: ConfigDict, own: ConfigDict, source: Source) -> ConfigDict:
    try:
        merged: ConfigDict = merge(base, own)
    except (ConfigTypeError, ConfigKeyError) as error:
        if error.config_path is not None:
            error.location = locate_in_source(source, error.config_path.split("."))
        raise
    return merged


def _result(
    source: Source,
    values: ConfigDict,
    own: ConfigDict,
    bases: Sequence[LoadedConfig],
    env_variables: dict[str, Any],
) -> LoadedConfig:
    origins: dict[str, tuple[str, ...]] = {}
    all_env_variables: dict[str, Any] = {}
    for base in bases:
        origins.update(base.origins)
        all_env_variables.update(base.env_variables)
    for key in own:
        origins[key] = (*origins.get(key, ()), source.absolute_path)
    own_text = f"{source.absolute_path}\n{source.text}"
    imported = {name for base in bases for name in base.imported_names} - set(own)
    return LoadedConfig(
        values=values,
        text="\n".join([*(base.text for base in bases), own_text]),
        sources=(*(part for base in bases for part in base.sources), source),
        env_variables={**all_env_variables, **env_variables},
        imported_names=imported,
        origins=origins,
        namespace=dict(dict.items(values)),
    )
