"""What a recorded file leaves behind: a run described by one call, and what cannot be kept.

The run is ``Runner(...)``, or a function that returns one. Values that describe nothing, or that
would be lost when the config is written down, are refused.
"""

from __future__ import annotations

import ast
import inspect
import itertools
from collections import OrderedDict
from collections.abc import Mapping
from types import FunctionType, GeneratorType
from typing import Any, TypeGuard

from mainspring.config import words
from mainspring.config.config_dict import ConfigDict, keeping_lazy
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.printing.references import can_be_written
from mainspring.config.provenance.marks import overlay, session
from mainspring.config.provenance.places import locate, name_positional
from mainspring.config.recorded_python.lint import outline_of
from mainspring.config.recorded_python.recording import CONFIG_MODULE, RefusedError, recording
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.config.source import ReadOptions, Source
from mainspring.config.sweep import Sweep
from mainspring.errors import ConfigError, Location, did_you_mean
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.signatures import callee_of
from mainspring.walk import items_of

__all__ = ["refuse_dead_changes", "refuse_unfinished", "unpack_runner"]


def unpack_runner(names: dict[str, Any], source: Source, options: ReadOptions) -> dict[str, Any]:
    """Put the arguments of ``Runner(...)`` in the place of the call.

    Args:
        names: The top-level names of a recorded file.
        source: The file.
        options: May name the function to call, and gives arguments to it.

    Returns:
        The names, as they are when the file describes its sections one by one.

    Raises:
        ConfigError: The function is not there, or cannot be called, or gives no run.
    """
    if options.function is not None:
        return _called(options.function, names, source, options)
    runs = [name for name, value in names.items() if _is_runner(value)]
    if len(runs) > 1:
        raise ConfigError(
            f"the file describes {len(runs)} runs: {', '.join(runs)}",
            location=names[runs[1]].where_written,
            help="make functions of them, and name one: config.py:function",
        )
    if runs:
        return _unpacked(names.pop(runs[0]), names)
    if any(section in names for section in RUNNER_SECTIONS):
        return names
    functions = [name for name, value in names.items() if _gives_runner(value, source)]
    if len(functions) > 1:
        raise ConfigError(
            f"the file has {len(functions)} functions that describe a run",
            location=source.location(1),
            help=f"name one: {source.path}:{functions[0]} (or {', '.join(functions[1:])})",
        )
    return _called(functions[0], names, source, options) if functions else names


def _called(
    function_name: str, names: dict[str, Any], source: Source, options: ReadOptions
) -> dict[str, Any]:
    function = names.get(function_name)
    if not isinstance(function, FunctionType):
        functions = [name for name, value in names.items() if _is_of_file(value, source)]
        raise ConfigError(
            f"{source.path} has no function {function_name!r}",
            help=did_you_mean(function_name, functions)
            or (f"it has {', '.join(functions)}" if functions else "it has no functions"),
        )
    place = source.location(function.__code__.co_firstlineno)
    callee = callee_of(function)
    parameters = callee.parameters if callee is not None else {}
    arguments = {name: options.take(name) for name in parameters if name in options.variables}
    required = callee.required if callee is not None else ()
    missing = [name for name in required if name in parameters and name not in arguments]
    if missing:
        raise ConfigError(
            f"{function_name}() needs {', '.join(missing)}",
            location=place,
            help=f"give it on the command line: {' '.join(f'{name}=...' for name in missing)}",
        )
    with keeping_lazy(), recording(source):
        result = function(**arguments)
    if _is_runner(result):
        return _unpacked(result, names)
    if isinstance(result, dict) and not isinstance(result, Node):
        return _joined(names, result, {**names, **dict(dict.items(result))})
    shown = f"{dict.get(result, 'type')!s}(...)" if isinstance(result, Node) else repr(result)
    raise ConfigError(
        f"{function_name}() returns {shown}, not a run",
        location=place,
        help="return Runner(model=..., train_dataloader=..., ...)",
    )


def _unpacked(run: Node, names: Mapping[str, Any]) -> dict[str, Any]:
    arguments = dict(dict.items(run))
    arguments.pop("type")
    positional = arguments.pop(POSITIONAL_KEY, [])
    sections = dict(zip(RUNNER_SECTIONS, positional, strict=False))
    helpers = {name: value for name, value in names.items() if name not in RUNNER_SECTIONS}
    for name in arguments:
        if name not in RUNNER_SECTIONS and name != "cfg":
            raise ConfigError(
                f"Runner has no parameter {name!r}",
                location=locate(run, name) or run.where_written,
                config_path=name,
                help=did_you_mean(name, RUNNER_SECTIONS),
            )
    name_positional(run, RUNNER_SECTIONS)
    return _joined(names, run, {**helpers, **sections, **arguments})


def _joined(names: Mapping[str, Any], run: Any, values: dict[str, Any]) -> dict[str, Any]:
    """The values, with the marks that they have in what they are joined from."""
    with session() as current:
        current.marks(values)
        for source in (names, run):
            for key in values:
                overlay(values, key, source)
    return values


def _is_runner(value: Any) -> bool:
    if not isinstance(value, Node):
        return False
    target = dict.get(value, "type")
    path = dotted_path(target) if isinstance(target, LazyObject | LazyAttr) else ""
    package, _, name = path.partition(".")
    return package in ("mainspring", "mmengine") and name in ("runner.Runner", "Runner")


def _is_of_file(value: Any, source: Source) -> TypeGuard[FunctionType]:
    """Whether a value is a function that the file itself defines."""
    return isinstance(value, FunctionType) and value.__code__.co_filename == source.absolute_path


def _gives_runner(value: Any, source: Source) -> bool:
    """Whether a function of the file says, or shows, that it returns a run."""
    if not _is_of_file(value, source):
        return False
    returns = value.__annotations__.get("return")
    if returns is not None:
        text = returns if isinstance(returns, str) else str(returns)
        return text.rpartition(".")[2] == "Runner"
    functions = (node for node in outline_of(source).tree.body if isinstance(node, ast.FunctionDef))
    own = itertools.chain(*(ast.walk(node) for node in functions if node.name == value.__name__))
    returned = (node.value for node in own if isinstance(node, ast.Return))
    called = (ast.unparse(node.func) for node in returned if isinstance(node, ast.Call))
    return any(name.rpartition(".")[2] == "Runner" for name in called)


def refuse_unfinished(value: Any, path: str, source: Source, where: Location | None = None) -> None:
    """Refuse values that look like a part of the run and are none.

    Args:
        value: The value.
        path: Where it stands in the config.
        source: The file.
        where: Where the nearest call around it is written.

    Raises:
        ConfigError: It, or something in it, describes nothing or cannot be written down.
    """
    if isinstance(value, words.Unfinished):
        raise ConfigError(
            f"{value!r} describes nothing yet",
            location=value.where,
            config_path=path,
            help=f"call it in turn, with the other arguments: {value!r}()",
        )
    if isinstance(value, GeneratorType):
        raise ConfigError(
            "a generator is used up when it is read once, so it cannot be part of a config",
            location=source.location(value.gi_code.co_firstlineno),
            config_path=path,
            help="make a list: [... for ...]",
        )
    if isinstance(value, Node):
        where = value.where_written or where
    if type(value) in (ConfigDict, Node, dict, list, tuple):
        for key, item in items_of(value):
            if item is not value:
                refuse_unfinished(key, f"{path}, as a key", source, where)
                refuse_unfinished(item, f"{path}.{key}", source, where)
    elif not (can_be_written(value) or isinstance(value, Sweep)):
        way_out = "describe it by a call of an imported class or function, or by plain values"
        if isinstance(value, FunctionType):
            way_out = "define a function in a module and import it"
        elif type(value).__module__ == CONFIG_MODULE:
            way_out = "define the class in a module and import it"
        raise ConfigError(
            f"{path} is {_described(value)}, so it cannot be written down with the config",
            location=_lambda(value, source) or where or _assignment(path.partition(".")[0], source),
            config_path=path,
            help=f"{way_out}; or name the variable _{path.partition('.')[0]}, if only the "
            "file itself uses it",
        )


def refuse_dead_changes(names: Mapping[str, Any], source: Source) -> None:
    """Refuse what the config holds as another dict, and is changed or of another class.

    Args:
        names: The top-level names of the file.
        source: The file.

    Raises:
        ConfigError: With the place of the change, or of what was changed.
    """
    with session() as current:
        for part, held, _ in (current.copies or {}).values():
            if isinstance(part, OrderedDict):
                where = current.kept[id(part)][1].where if id(part) in current.kept else None
                raise RefusedError(
                    "an OrderedDict in a config would become a dict",
                    location=where.location if where else None,
                    help="write dict(...), which keeps the order of its keys",
                )
            now = part if isinstance(part, dict) else dict(enumerate(part))
            changed = [
                key for key in {**held, **now} if now.get(key, held) is not held.get(key, now)
            ]
            if not changed:
                continue
            name = next((name for name, value in names.items() if value is part), None)
            marks = current.marks(part).keys if isinstance(part, dict) else {}
            spots = [marks[key].spot for key in changed if key in marks]
            raise RefusedError(
                f"{name or 'a dict'} is changed after a part of the config got it, which has no "
                "effect there",
                location=spots[0].location if spots else _assignment(name or "", source),
                help=f"write edit({name or '...'}), change it before, or give the part a copy(...)",
            )


def _described(value: Any) -> str:
    kind = type(value)
    if is_lazy(value):
        return f"{dotted_path(value)}, which a file of data cannot name"
    if inspect.isroutine(value):
        return "a lambda" if value.__name__ == "<lambda>" else f"the function {value.__qualname__}"
    here = kind.__module__ == CONFIG_MODULE
    name = kind.__name__ if here else f"{kind.__module__}.{kind.__qualname__}"
    return f"an object of the class {name}" + (", which the config file defines" if here else "")


def _lambda(value: Any, source: Source) -> Location | None:
    """Where a file writes a lambda."""
    line = getattr(getattr(value, "__code__", None), "co_firstlineno", None)
    for node in outline_of(source).nodes if line is not None else ():
        if isinstance(node, ast.Lambda) and node.lineno == line:
            return source.place_of(node)
    return None


def _assignment(name: str, source: Source) -> Location | None:
    """Where a file last binds a variable, outside of functions and classes; ``None`` if nowhere."""
    found = None
    for statement in outline_of(source).tree.body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        for node in ast.walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
                found = source.location(node.lineno)
    return found
