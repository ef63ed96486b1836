"""Values that a recorded config cannot leave behind: they describe nothing, or would be lost."""

from __future__ import annotations

import ast
import inspect
from collections import OrderedDict
from collections.abc import Mapping
from types import FunctionType, GeneratorType
from typing import Any

from mainspring.config import words
from mainspring.config.config_dict import ConfigDict
from mainspring.config.lint import outline_of
from mainspring.config.marks import session
from mainspring.config.node import Node
from mainspring.config.recording import CONFIG_MODULE, RefusedError
from mainspring.config.references import can_be_written
from mainspring.config.source import Source
from mainspring.config.sweep import Sweep
from mainspring.errors import ConfigError, Location
from mainspring.walk import items_of

__all__ = ["refuse_dead_changes", "refuse_unfinished"]


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
