"""Which lines and changes gave a value: the history of one path of a config."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mainspring.config.hit import Hit
from mainspring.config.locate import (
    Search,
    keys_of,
    search_of,
    steps_of,
    undo_changes,
    value_at,
)
from mainspring.config.python_writes import dotted
from mainspring.errors import Location

if TYPE_CHECKING:
    from mainspring.config.config import Config
    from mainspring.config.override import Override

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


def origins(cfg: Config, path: str, search: Search | None = None) -> list[Origin]:
    """The places that set a value, the first one first, and last the one that counts.

    Bases come before the files that build on them, and the command line comes last. Variables that
    the value is computed from are among them. For a part that holds others, changes inside of it
    are, too.

    Args:
        cfg: The config.
        path: Dotted path of the value.
        search: A search through its files, to be used for several paths; made if not given.

    Returns:
        The places; none for a value that no file writes.
    """
    search = search or search_of(cfg)
    undone = undo_changes(cfg, steps_of(cfg, path))
    words: list[Override] = []
    found: list[Origin] = []
    if undone.steps is not None:
        value = value_at(cfg, keys_of(cfg, path))
        hits = search.hits(undone.steps, history=True)
        if not undone.replaced:
            while hits and not hits[0].may_give(value):
                hits.pop(0)  # in a branch that was not taken
        follows = not undone.replaced and is_leaf(value)
        if follows and hits and hits[0].exact:
            # The last place has the expression that counts.
            found = [*_variables(cfg, hits[0], words, set()), _origin(hits[0])]
        elif hits:
            found = [_origin(hits[0])]
        found[:0] = [_origin(hit) for hit in reversed(hits[1:])]
    if undone.merged:
        found.append(Origin(None, "Config.merge_from_dict"))
    for change in cfg._overrides:
        if change in undone.changes or change in words:
            variable = None if change in undone.changes else change.path
            literal = change.action != "remove"
            found.append(Origin(None, change.written, literal, change.value, variable))
    return list({(origin.location, origin.line): origin for origin in found}.values())


def leaves(cfg: Config) -> Iterator[tuple[str, Any]]:
    """The paths of a config that hold no others, in its order, with their values.

    A list of plain values is one of them. Nothing is imported.

    Args:
        cfg: The config.
    """
    yield from _leaves(cfg._own_values(), "")


def _leaves(part: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    items: Any = dict.items(part) if isinstance(part, dict) else enumerate(part)
    for key, value in items:
        if is_leaf(value):
            yield f"{prefix}{key}", value
        else:
            yield from _leaves(value, f"{prefix}{key}.")


def is_leaf(value: Any) -> bool:
    """Whether a value holds no others that have a name or type of their own."""
    if isinstance(value, dict):
        return not dict.__len__(value)
    return not isinstance(value, list | tuple) or all(is_leaf(item) for item in value)


def _origin(hit: Hit, variable: str | None = None) -> Origin:
    literal, value = hit.literal
    return Origin(hit.location, hit.line, literal, value, variable)


def _variables(
    cfg: Config, hit: Hit, words: list[Override], seen: set[tuple[str, ...]]
) -> Iterator[Origin]:
    """The places of the variables that a value is computed from.

    Args:
        cfg: The config.
        hit: The place of the value.
        words: Takes the changes of such variables that the command line makes.
        seen: Variables that are already followed.
    """
    if hit.file is None or hit.value is None:
        return
    for path in _names(hit.value):
        if tuple(path) in seen or len(seen) >= _MOST_VARIABLES:
            continue
        seen.add(tuple(path))
        hits = hit.file.of_name(path, hit)
        if not hits:
            continue
        own = path[1:] if path[0] == "_base_" else path
        for change in cfg._overrides:
            flows = change.sets_variable and change.path not in cfg._changed
            if flows and [change.path] == own and change not in words:
                words.append(change)
        if hits[0].exact:
            yield from _variables(cfg, hits[0], words, seen)
        yield from (_origin(used, ".".join(own)) for used in reversed(hits))


def _names(value: ast.AST) -> Iterator[list[str]]:
    """The names that an expression uses, with what it reads of them."""
    path = dotted(value) if isinstance(value, ast.expr) else None
    if path is not None:
        yield path
        return
    for child in ast.iter_child_nodes(value):
        yield from _names(child)
