"""Configs that describe a run with one call: ``Runner(...)``, or a function that returns one."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from types import FunctionType
from typing import Any, TypeGuard

from mainspring.config.config_dict import keeping_lazy
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.marks import overlay, session
from mainspring.config.node import Node
from mainspring.config.places import locate, name_positional
from mainspring.config.recording import recording
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.config.source import ReadOptions, Source
from mainspring.errors import ConfigError, did_you_mean
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.signatures import callee_of

__all__ = ["unpack_runner"]


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
    raise ConfigError(
        f"{function_name}() returns {_shown(result)}, not a run",
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
    tree = ast.parse(source.text)
    return any(
        isinstance(node, ast.Return)
        and isinstance(node.value, ast.Call)
        and ast.unparse(node.value.func).rpartition(".")[2] == "Runner"
        for function in tree.body
        if isinstance(function, ast.FunctionDef) and function.name == value.__name__
        for node in ast.walk(function)
    )


def _shown(value: Any) -> str:
    return f"{dict.get(value, 'type')!s}(...)" if isinstance(value, Node) else repr(value)
