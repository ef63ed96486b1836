"""Where a part of a config is written."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.config.node import Node
from mainspring.errors import Location

__all__ = ["Places"]

_IMPORT_PLACE = re.compile(r"(?P<file>.+), line (?P<line>\d+)")


class Places:
    """Finds the places of a config's values; files are parsed only when something is wrong.

    Args:
        cfg: The config; for a plain dict nothing is found.
    """

    def __init__(self, cfg: Any) -> None:
        self._locate = getattr(cfg, "locate", None) if hasattr(cfg, "_cfg_dict") else None
        self._texts = {source.path: source.text for source in getattr(cfg, "_sources", ())}
        self._changed: Sequence[str] = getattr(cfg, "_changed", ())
        self._known: dict[tuple[str, ...], tuple[Location, Mapping[str, int]]] = {}
        self._calls: dict[str, dict[tuple[int, int], ast.Call]] = {}

    def remember(self, path: Sequence[str], call: Any, positions: Mapping[str, int]) -> None:
        """Remember a recorded call, in which the places of arguments can be found.

        Args:
            path: The keys from the top.
            call: The call.
            positions: The positions of those arguments that are given without their names.
        """
        where = call.where_written if isinstance(call, Node) else None
        if where is not None:
            self._known[tuple(path)] = (where, positions)

    def of(self, path: Sequence[str]) -> Location | None:
        """The place of a key, or of the nearest part around it that is written somewhere.

        Args:
            path: The keys from the top.
        """
        for count in range(len(path), 0, -1):
            if self.is_changed(path[:count]):
                return None
            found = self._exact(path[:count])
            around, positions = self._known.get(tuple(path[: count - 1]), (None, {}))
            if around is not None and (found is None or found == around):
                name = path[count - 1]
                found = self._in_call(around, name, positions.get(name)) or found
            if found is not None:
                return found
            if around is not None:
                return None if self.is_changed(path[: count - 1]) else around
        return None

    def of_call(self, path: Sequence[str]) -> Location | None:
        """The place of a call, rather than of the key that it is the value of.

        Args:
            path: The keys from the top.
        """
        where = self._known.get(tuple(path), (None, None))[0]
        return where if where is not None and not self.is_changed(path) else self.of(path)

    def of_import(self, value: Any) -> Location | None:
        """The place of an imported name in the import statement.

        Args:
            value: What stands for it.
        """
        match = _IMPORT_PLACE.fullmatch(str(getattr(value, "location", None)))
        if match is None:
            return None
        file, line = match["file"], int(match["line"])
        lines = self._texts.get(file, "").split("\n")
        name = re.compile(rf"\b{re.escape(str(value))}\b")
        for number in range(line, min(line + 40, len(lines) + 1)):
            found = name.search(lines[number - 1])
            if found is not None:
                return Location(file, number, found.start() + 1)
        return Location(file, line)

    def is_changed(self, path: Sequence[str]) -> bool:
        """Whether a part was set after the files were read.

        Args:
            path: The keys from the top.
        """
        dotted = ".".join(path)
        return any(dotted == item or dotted.startswith(f"{item}.") for item in self._changed)

    def _exact(self, path: Sequence[str]) -> Location | None:
        if self._locate is None:
            return None
        found: Location | None = self._locate(".".join(path))
        return found

    def _in_call(self, where: Location, name: str, position: int | None) -> Location | None:
        if where.file not in self._calls:
            self._calls[where.file] = _calls_of(self._texts.get(where.file, ""))
        call = self._calls[where.file].get((where.line, where.column or 1))
        if call is None:
            return None
        for keyword in call.keywords:
            if keyword.arg == name:
                return Location(where.file, keyword.lineno, keyword.col_offset + 1)
        if position is not None and position < len(call.args):
            argument = call.args[position]
            return Location(where.file, argument.lineno, argument.col_offset + 1)
        return None


def _calls_of(text: str) -> dict[tuple[int, int], ast.Call]:
    """The calls of a file by where they begin; of ``later(X)(y)`` the outer one."""
    found: dict[tuple[int, int], ast.Call] = {}
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return found
    for node in ast.walk(tree):  # outer calls come before inner ones
        if isinstance(node, ast.Call):
            found.setdefault((node.lineno, node.col_offset + 1), node)
    return found
