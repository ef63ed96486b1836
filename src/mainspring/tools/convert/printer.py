"""Print values as the Python of a recorded config."""

from __future__ import annotations

import enum
import math
from pathlib import PurePath
from typing import Any

from mainspring.config.dump import filled
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.plain import is_name
from mainspring.errors import ConfigError
from mainspring.names import DataName, origin_of
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.shared import repeated_calls
from mainspring.tools.convert.names import (
    Form,
    Meaning,
    import_parts,
    lazy_import_parts,
)
from mainspring.tools.convert.report import Attempt
from mainspring.walk import items_of

__all__ = ["Printer"]

_WIDTH = 100


class Printer:
    """Prints values; a dict with a type becomes a call where the type is known.

    Args:
        attempt: What the file is; is given what the text uses, and what became of each type.
    """

    def __init__(self, attempt: Attempt) -> None:
        self._attempt = attempt
        self._names = attempt.names
        self._imports = attempt.imports
        self._named: dict[int, str] = {}

    def assignment(self, left: str, value: Any, keys: tuple[str, ...]) -> str:
        """The line that assigns a value.

        Args:
            left: What stands before the equals sign.
            value: The value.
            keys: The keys that lead to it.

        Raises:
            ConfigError: There is no Python for it.
        """
        return f"{left} = {self._text(value, keys, 0, len(left) + 3)}"

    def shared_lines(self, values: dict[Any, Any]) -> list[str]:
        """Private variables for the calls that stand in several places, to which the text refers.

        Args:
            values: The values of a config.
        """
        shared = repeated_calls(values)
        lines: list[str] = []

        def visit(part: Any, keys: tuple[str, ...]) -> None:
            if not isinstance(part, dict | list | tuple) or id(part) in self._named:
                return
            for key, item in items_of(part):
                visit(item, (*keys, str(key)) if isinstance(part, dict) else keys)
            if id(part) in shared:
                name = f"_shared_{len(self._named) + 1}"
                lines.append(self.assignment(name, part, keys))
                self._named[id(part)] = name

        visit(values, ())
        return lines

    def type_text(self, kind: Any, keys: tuple[str, ...]) -> str:
        """The text of what stands under ``type``.

        Args:
            kind: A name, or the thing itself.
            keys: The keys that lead to the dict.
        """
        meaning = self._type(kind, keys)
        if meaning is None:
            return self._leaf(kind, keys)
        return self._imports.name(meaning.module, meaning.name)

    def _text(
        self, value: Any, keys: tuple[str, ...], indent: int, used: int, *, spec: bool = False
    ) -> str:
        if id(value) in self._named:
            return self._named[id(value)]
        if isinstance(value, dict):
            opening, entries, closing = self._dict(value, keys, indent, spec)
        elif isinstance(value, list | tuple) and type(value) in (list, tuple):
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            entries = [self._text(item, keys, indent + 4, 1, spec=spec) for item in value]
            if isinstance(value, tuple) and len(value) == 1:
                closing = ",)"
        else:
            return self._leaf(value, keys)
        flat = f"{opening}{', '.join(entries)}{closing}"
        if "\n" not in flat and indent + used + len(flat) < _WIDTH:
            return flat
        pad = " " * (indent + 4)
        if all(type(item) in (int, float) for item in value) and isinstance(value, list | tuple):
            entries = filled(entries, _WIDTH - indent - 6)
        closing = closing.lstrip(",")
        lines = "".join(f"{pad}{entry},\n" for entry in entries)
        return f"{opening}\n{lines}{' ' * indent}{closing}"

    def _dict(
        self, value: dict[Any, Any], keys: tuple[str, ...], indent: int, spec: bool
    ) -> tuple[str, list[str], str]:
        if isinstance(value, Node) and value.is_edited:
            value.try_bind()  # what was set may stand among the positional arguments
        items = dict(dict.items(value))
        positional = items.pop(POSITIONAL_KEY, []) if isinstance(value, Node) else []
        kind, called, name = items.get("type"), "dict", ""
        meaning = self._type(kind, keys)
        if meaning is not None:
            self._attempt.on_type(".".join(keys), None)
            form = meaning.form(key for key in items if key != "type")
            if isinstance(value, Node):
                form = Form.LATE if value.is_late else Form.CALL
            elif spec:
                form = Form.DICT
            name = self._imports.name(meaning.module, meaning.name)
            if form is not Form.DICT:
                items.pop("type")
                called = name
            if form is Form.LATE:
                called = f"{self._imports.word('later')}({name})"
        elif isinstance(kind, str):
            self._attempt.on_type(".".join(keys), self._names.why[kind])
        is_display = called == "dict" and not all(map(is_name, items))
        entries = [self._text(item, keys, indent + 4, 1) for item in positional]
        for key, item in items.items():
            shown = f"{self._leaf(key, keys)}: " if is_display else f"{key}="
            text = name
            if key != "type" or meaning is None:
                is_spec = meaning is not None and meaning.keeps_dict(str(key))
                inner, used = (*keys, str(key)), len(shown) + 1
                text = self._text(item, inner, indent + 4, used, spec=is_spec)
            entries.append(shown + text)
        return ("{", entries, "}") if is_display else (f"{called}(", entries, ")")

    def _type(self, kind: Any, keys: tuple[str, ...]) -> Meaning | None:
        if isinstance(kind, str):
            return self._names.find(kind, keys)
        if isinstance(kind, LazyObject | LazyAttr):
            parts = lazy_import_parts(kind)
        else:
            parts = import_parts(kind) if callable(kind) else None
        return None if parts is None else self._names.imported(*parts, keys, origin_of(kind))

    def _leaf(self, value: Any, keys: tuple[str, ...]) -> str:
        if isinstance(value, LazyObject | LazyAttr):
            parts = lazy_import_parts(value)
            if parts is None:
                module, _, name = dotted_path(value).rpartition(".")
                parts = module, name
            if parts[0]:
                return self._imports.name(*parts)
        text = _literal(value)
        if text is not None:
            return text
        if isinstance(value, PurePath):
            return f"{self._imports.name('pathlib', 'Path')}({_literal(str(value))})"
        if isinstance(value, set | frozenset):
            items = ", ".join(sorted(self._leaf(item, keys) for item in value))
            text = f"{{{items}}}" if value else "set()"
            return text if isinstance(value, set) else f"frozenset({text if value else ''})"
        if isinstance(value, enum.Enum):
            parts = import_parts(type(value))
            if parts is not None:
                return f"{self._imports.name(*parts)}.{value.name}"
        parts = import_parts(value) if callable(value) else None
        if parts is not None:
            return self._imports.name(*parts)
        raise ConfigError(
            f"{value!r:.80} cannot be written in a config",
            config_path=".".join(keys),
            help="move it to a module, and import it from there",
        )


def _literal(value: Any) -> str | None:
    if value is None or type(value) in (bool, int, bytes, range):
        return repr(value)
    if type(value) in (str, DataName):
        text = str.__repr__(value)
        if '"' not in value and "'" not in value:
            text = f'"{text[1:-1]}"'
        # Two braces would be a template in a file that imports nothing.
        return text.replace("{{", "{\\x7b")
    if type(value) is float:
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if type(value) is complex:
        return repr(value) if math.isfinite(abs(value)) else f"complex({str(value)!r})"
    return None
