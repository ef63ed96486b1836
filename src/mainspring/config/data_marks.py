"""Marks of data files: where JSON, TOML and YAML write their keys and items."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass, field
from typing import Any

from mainspring.config.marks import Mark, MarkedText, Marks, Session, Spot

__all__ = ["Written", "mark_data", "written_in_json", "written_in_toml", "written_in_yaml"]

_TOML_LINE = re.compile(r"\s*(\[\[?)?\s*([\w.\-]+|\"[^\"]+\"|'[^']+')\s*(?(1)\]|=)\s*")
_TOML_ITEM = re.compile(r"\"[^\"]*\"|'[^']*'|[^\s,\[\]]+")
_INLINE_KEY = re.compile(r"([\w\-]+)\s*=")


@dataclass(slots=True, eq=False)
class Written:
    """What a file writes as one value.

    Attributes:
        spot: The place of its key, or of itself as an item.
        keys: What it holds, if it is a mapping.
        items: What it holds, if it is a list.
        value: The place of the value.
    """

    spot: Spot | None = None
    keys: dict[str, Written] = field(default_factory=dict)
    items: list[Written] = field(default_factory=list)
    value: Spot | None = None


def mark_data(value: Any, written: Written, session: Session) -> None:
    """Mark what was read from a file, as far as it is what is written there.

    Args:
        value: The value; dicts that stand for other values are resolved in it.
        written: The places.
        session: Keeps the marks.
    """
    if isinstance(value, dict):
        marks = Marks(written.spot)
        for key, item in dict.items(value):
            inner = written.keys.get(str(key), Written())
            if inner.spot is not None:
                marks.keys[key] = Mark(inner.spot)
                mark_data(item, inner, session)
        session.keep(value, marks)
    elif isinstance(value, list | tuple):
        items = written.items or getattr(written.keys.get("_tuple_"), "items", [])
        session.keep(value, [item.spot for item in items if item.spot is not None])
        for item, inner in zip(value, items, strict=False):
            mark_data(item, inner, session)


def written_in_yaml(root: Any, text: MarkedText) -> Written:
    """The places in a YAML file.

    Args:
        root: The node of the document.
        text: The file.
    """
    known: dict[int, Written] = {}  # an alias is the same node once more

    def written(node: Any, key: Any) -> Written:
        found = known.get(id(node))
        if found is None:
            found = known[id(node)] = Written()
            for entry in [] if isinstance(node.value, str) else node.value:
                if isinstance(entry, tuple):
                    found.keys[str(entry[0].value)] = written(entry[1], entry[0])
                else:
                    found.items.append(written(entry, entry))
        return Written(spot(key), found.keys, found.items, spot(node))

    def spot(node: Any) -> Spot:
        line, column = node.start_mark.line + 1, node.start_mark.column
        return Spot(text, line, len(text.lines(line)[1][:column].encode()))

    return written(root, root)


def written_in_json(text: MarkedText) -> Written:
    """The places in a JSON file: it reads as a Python display in which `true` is a name.

    Args:
        text: The file.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return _of_display(ast.parse(f"({text.parsed}\n)", mode="eval").body, text, None)


def _of_display(node: ast.expr, text: MarkedText, key: ast.expr | None) -> Written:
    """The places in a display whose text has one character more in front of it."""

    def spot(at: ast.expr) -> Spot:
        return Spot(text, at.lineno, at.col_offset - (at.lineno == 1))

    found = Written(spot(key or node), value=spot(node))
    if isinstance(node, ast.Dict):
        for name, value in zip(node.keys, node.values, strict=True):
            if isinstance(name, ast.Constant):
                found.keys[str(name.value)] = _of_display(value, text, name)
    elif isinstance(node, ast.List):
        found.items = [_of_display(item, text, None) for item in node.elts]
    return found


def written_in_toml(text: MarkedText) -> Written:
    """The places of the tables and keys of a TOML file, and of what is in one line with a key.

    Args:
        text: The file.
    """
    root = table = Written()
    for number, line in enumerate(text.parsed.split("\n"), start=1):
        match = _TOML_LINE.match(line)
        if match is None:
            continue
        spot = Spot(text, number, len(line[: match.start(2)].encode()))
        holder = root if match[1] else table
        for part in match[2].split("."):
            holder = holder.items[-1] if holder.items else holder
            holder = holder.keys.setdefault(part.strip("\"'"), Written(spot))
        if match[1]:
            table = holder
            if match[1] == "[[":
                holder.items.append(table := Written(spot))
            continue
        value = match.end()
        holder.value = Spot(text, number, len(line[:value].encode()))
        if line[value : value + 1] == "[":
            items = _TOML_ITEM.finditer(line, value)
            spots = (Spot(text, number, len(line[: item.start()].encode())) for item in items)
            holder.items = [Written(spot) for spot in spots]
        for key in _INLINE_KEY.finditer(line, value):
            inner = Spot(text, number, len(line[: key.start()].encode()))
            holder.keys.setdefault(key[1], Written(inner))
    return root
