"""Which lines and changes gave a value: the history of one path of a config."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.config.provenance.marks import (
    BASE_VALUE_FUNCTION,
    Mark,
    MarkedText,
    Spot,
    key_marks,
)
from mainspring.config.provenance.places import keys_of, nearest_spot, steps_to
from mainspring.errors import Location
from mainspring.walk import items_of

if TYPE_CHECKING:
    from mainspring.config.config import Config

__all__ = ["Origin", "is_leaf", "leaves", "origins"]

_MOST_VARIABLES = 20
"""How many variables are followed for one value."""


@dataclass(frozen=True, slots=True)
class Origin:
    """One place that set a value, or a variable that it is computed from.

    Attributes:
        location: File, line and column; ``None`` for a change after the files were read.
        line: The line, without the space around it; the word of the command line.
        is_literal: Whether a literal is written there.
        value: The literal.
        variable: The variable that is set there, if it is not the value itself.
    """

    location: Location | None
    line: str
    is_literal: bool = False
    value: Any = None
    variable: str | None = None


def origins(cfg: Config, path: str) -> list[Origin]:
    """The places that set a value, the first one first, and last the one that counts.

    Bases come before the files that build on them, and the command line comes last. Variables that
    the value is computed from are among them. For a part that holds others, changes inside of it
    are, too.

    Args:
        cfg: The config.
        path: Dotted path of the value.

    Returns:
        The places; none for a value that no file writes.
    """
    values = cfg._cfg_dict
    names = keys_of(values, path)
    steps = steps_to(values, names)
    if len(steps) < len(names):
        return []
    last = steps[-1]
    own = set(_of_path(values, names))
    variables: dict[str, Mark] = {}
    if not is_leaf(last.value):
        own.update(_changes_inside(last.value))
    elif last.mark is not None:
        _follow_variables(values, last.mark.place, variables)
    named = {used: name for name, mark in variables.items() for used in _chain(mark)}
    marks = sorted(own, key=lambda mark: mark.order)
    # Variables stand before the place that computes the value.
    marks[-1:-1] = sorted(named.keys() - own, key=lambda mark: mark.order)
    chain = {mark.spot: None if mark in own else named[mark] for mark in marks}
    nearest = nearest_spot(steps, len(names))
    if nearest is not None:
        chain.setdefault(nearest, None)
    result: list[Origin] = []
    for spot, variable in chain.items():
        is_literal, value = spot.literal()
        if spot.text is not None:
            location, line = spot.location, spot.text.lines(spot.line)[0].strip()
        else:
            location, line = None, spot.word.removeprefix("command line: ")
            is_literal = value is not None and not line.startswith("~")
        result.append(Origin(location, line, is_literal, value, variable))
    for change in cfg._overrides:
        took_effect = change.sets_variable and change.path not in cfg._changed
        if took_effect and result and change.path in (path, *variables):
            variable = None if change.path == path else change.path
            result.append(Origin(None, change.written, True, change.value, variable))
    return list({(origin.location, origin.line): origin for origin in result}.values())


def _of_path(part: Any, names: list[str]) -> Iterator[Mark]:
    """What set a path of a part, also in values that it had before."""
    step = next(iter(steps_to(part, names[:1])), None)
    if step is None:
        return
    mark, value = step.mark, step.value
    while True:
        if len(names) == 1 and mark is not None:
            yield mark
        elif value is step.value or not any(name.isdecimal() for name in names[1:]):
            yield from _of_path(value, names[1:])  # another list had other items
        if mark is None or mark.before is None:
            return
        mark, value = mark.before


def _chain(mark: Mark) -> Iterator[Mark]:
    """A mark and those before it."""
    current: Mark | None = mark
    while current is not None:
        yield current
        current = current.before[0] if current.before is not None else None


def _follow_variables(values: Any, spot: Spot, found: dict[str, Mark]) -> None:
    """Find the variables that a value is computed from, and those that these are computed from."""
    if spot.text is None or spot.span is None:
        return
    for path in _names(spot.text.expression(spot.span), spot.text):
        name, default = ".".join(path), (spot.parameters or {}).get(path[0])
        steps = steps_to(values, path) if path[0] not in (spot.parameters or {}) else []
        mark = None if default is None else Mark(default)
        if len(steps) == len(path):
            mark = steps[-1].mark
        if mark is not None and name not in found and len(found) < _MOST_VARIABLES:
            found[name] = mark
            _follow_variables(values, mark.place, found)


def _names(node: ast.AST, text: MarkedText) -> Iterator[tuple[str, ...]]:
    """The dotted names that an expression reads, without ``_base_``."""
    path: str = ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""
    if isinstance(node, ast.Call) and getattr(node.func, "id", "") == BASE_VALUE_FUNCTION:
        number: int = ast.literal_eval(node.args[0])
        path = text.templates[number]
    if re.fullmatch(r"\w+(\.\w+)*", path):
        yield tuple(path.removeprefix("_base_.").split("."))
        return
    for child in ast.iter_child_nodes(node):
        yield from _names(child, text)


def _changes_inside(part: Any) -> Iterator[Mark]:
    """What changed a part after it was described."""
    for mark in key_marks(part).values():
        yield from (change for change in _chain(mark) if change.spot.is_change)
    for _, item in items_of(part):
        yield from _changes_inside(item)


def leaves(cfg: Config) -> Iterator[tuple[str, Any]]:
    """The paths of a config that hold no others, in its order, with their values.

    A list of plain values is one of them. Nothing is imported.

    Args:
        cfg: The config.
    """
    yield from _leaves(cfg._own_values(), "")


def _leaves(part: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in items_of(part):
        if is_leaf(value):
            yield f"{prefix}{key}", value
        else:
            yield from _leaves(value, f"{prefix}{key}.")


def is_leaf(value: Any) -> bool:
    """Whether a value holds no others that have a name or type of their own."""
    if isinstance(value, dict):
        return not dict.__len__(value)
    return not isinstance(value, list | tuple) or all(is_leaf(item) for item in value)
