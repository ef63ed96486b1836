"""Keep what stands in several places of an old config apart: there, each place builds its own.

In a recorded file a variable that holds a call is one object wherever it stands, so that its
further places get a ``copy(...)``.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mainspring.config.printing.sharing import first_places
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.registry.shared import repeated_calls
from mainspring.tools.convert.calls import chain_of
from mainspring.tools.convert.file_names import bound_names
from mainspring.tools.convert.imports import Imports
from mainspring.tools.convert.text_edits import EditedText
from mainspring.walk import parts_of

__all__ = ["apart", "sharing"]


def _sections(values: Mapping[Any, Any]) -> dict[str, Any]:
    return {name: dict.get(dict(values), name) for name in RUNNER_SECTIONS if name in values}


def sharing(values: Mapping[Any, Any]) -> dict[str, str]:
    """The places in sections that are the same call as an earlier one, and that one.

    Args:
        values: The values of a config.
    """
    places = first_places(_sections(values))
    return {path: first for path, first in places.items() if path != first}


def apart(text: str, names: Mapping[str, Any], imports: Imports) -> str:
    """A recorded file with copies where it would share a call.

    Args:
        text: Its text.
        names: What its names stand for when it is read.
        imports: What it imports.
    """
    shared = repeated_calls(_sections(names))
    held = {
        name for name, value in names.items() if any(id(part) in shared for part in parts_of(value))
    }
    edited, copy = EditedText(text), imports.word("copy")
    # The first place of a helper variable keeps it; a section or an inherited name is a place.
    used = held - (set(bound_names(edited.tree)) - set(RUNNER_SECTIONS))
    for node, name in _readings(edited.tree, held, (copy, imports.word("edit"))):
        if name in used:
            edited.replace(node, f"{copy}({edited.text_of(node)})")
        used.add(name)
    return edited.result()


def _readings(
    node: ast.AST, names: set[str], words: Sequence[str]
) -> Iterator[tuple[ast.AST, str]]:
    """The outermost readings of some names, such as ``model.backbone``, beside those by words."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) in words:
        return
    chain = chain_of(node) if isinstance(node, ast.Name | ast.Attribute) else None
    if chain is None or not isinstance(getattr(node, "ctx", None), ast.Load):
        for child in ast.iter_child_nodes(node):
            yield from _readings(child, names, words)
    elif chain[0] in names:
        yield node, chain[0]
