"""Print values as the Python of a recorded config."""

from __future__ import annotations

import enum
import keyword
import math
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from mainspring.config.convert.forms import Form, choose_form, stays_description
from mainspring.config.convert.imports import Imports
from mainspring.config.convert.names import Meaning, Names, import_parts, lazy_import_parts
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.errors import ConfigError
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["Printer", "is_name"]

_WIDTH = 100


class Printer:
    """Prints values; a dict with a type becomes a call where the type is known.

    Args:
        names: Says what types mean.
        imports: Is given what the text uses.
        on_type: Called for each dict with a type: the dotted path of the keys, and why it stays a
            dict, or ``None`` where it becomes a call.
    """

    def __init__(
        self, names: Names, imports: Imports, on_type: Callable[[str, str | None], None]
    ) -> None:
        self._names = names
        self._imports = imports
        self._on_type = on_type

    def text(self, value: Any, keys: tuple[str, ...], indent: int = 0, used: int = 0) -> str:
        """The text of a value.

        Args:
            value: The value.
            keys: The keys that lead to it.
            indent: Column at which the statement or item begins that it ends.
            used: Characters before it on its line, beyond the indent.

        Raises:
            ConfigError: There is no Python for it.
        """
        return self._text(value, keys, indent, used, None, None)

    def type_text(self, kind: Any, keys: tuple[str, ...]) -> str:
        """The text of what stands under ``type``.

        Args:
            kind: A name, or the thing itself.
            keys: The keys that lead to the dict.
        """
        meaning = self._type(kind, keys)
        return self._leaf(kind, keys) if meaning is None else self._imported(meaning)

    def _text(
        self,
        value: Any,
        keys: tuple[str, ...],
        indent: int,
        used: int,
        parent: Meaning | None,
        argument: str | None,
    ) -> str:
        if isinstance(value, dict):
            opening, entries, closing = self._dict(value, keys, indent, parent, argument)
        elif isinstance(value, list | tuple) and type(value) in (list, tuple):
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            entries = [self._text(v, keys, indent + 4, 1, parent, argument) for v in value]
            if isinstance(value, tuple) and len(value) == 1:
                closing = ",)"
        else:
            return self._leaf(value, keys)
        flat = f"{opening}{', '.join(entries)}{closing}"
        if "\n" not in flat and indent + used + len(flat) < _WIDTH:
            return flat
        pad = " " * (indent + 4)
        if all(type(item) in (int, float) for item in value) and isinstance(value, list | tuple):
            entries = _filled(entries, _WIDTH - indent - 6)
        closing = closing.lstrip(",")
        lines = "".join(f"{pad}{entry},\n" for entry in entries)
        return f"{opening}\n{lines}{' ' * indent}{closing}"

    def _dict(
        self,
        value: dict[Any, Any],
        keys: tuple[str, ...],
        indent: int,
        parent: Meaning | None,
        argument: str | None,
    ) -> tuple[str, list[str], str]:
        items = dict(dict.items(value))
        positional = items.pop(POSITIONAL_KEY, []) if isinstance(value, Node) else []
        meaning, written = self._meaning(value, items, keys, parent, argument)
        if written is not None:
            items.pop("type")
            opening = f"{written}("
        elif all(is_name(key) for key in items):
            opening = "dict("
        else:
            entries = []
            for key, item in items.items():
                shown = self._leaf(key, keys)
                inner = (*keys, str(key))
                if key == "type" and meaning is not None:
                    text = self._imported(meaning)
                else:
                    text = self._text(item, inner, indent + 4, len(shown) + 3, meaning, str(key))
                entries.append(f"{shown}: {text}")
            return "{", entries, "}"
        entries = [self._text(v, keys, indent + 4, 1, meaning, None) for v in positional]
        for key, item in items.items():
            if key == "type" and meaning is not None:
                entries.append(f"type={self._imported(meaning)}")
                continue
            used = len(key) + 2
            text = self._text(item, (*keys, key), indent + 4, used, meaning, key)
            entries.append(f"{key}={text}")
        return opening, entries, ")"

    def _meaning(
        self,
        value: dict[Any, Any],
        items: dict[Any, Any],
        keys: tuple[str, ...],
        parent: Meaning | None,
        argument: str | None,
    ) -> tuple[Meaning | None, str | None]:
        """What the type means, and what to call, if it becomes a call."""
        kind = items.get("type")
        path = ".".join(keys)
        meaning = self._type(kind, keys)
        if meaning is None:
            if isinstance(kind, str):
                self._on_type(path, self._names.why[kind])
            return None, None
        if isinstance(value, Node):
            form = Form.LATE if value.is_late else Form.CALL
        elif stays_description(parent, argument):
            form = Form.DICT
        else:
            form = choose_form(meaning, (key for key in items if key != "type"))
        self._on_type(path, None)
        if form is Form.DICT:
            return meaning, None
        name = self._imported(meaning)
        return meaning, f"{self._imports.word('later')}({name})" if form is Form.LATE else name

    def _type(self, kind: Any, keys: tuple[str, ...]) -> Meaning | None:
        if isinstance(kind, str):
            return self._names.find(kind, keys)
        if isinstance(kind, LazyObject | LazyAttr):
            parts = lazy_import_parts(kind)
        else:
            parts = import_parts(kind) if callable(kind) else None
        return None if parts is None else self._names.imported(*parts, keys)

    def _imported(self, meaning: Meaning) -> str:
        return self._imports.name(meaning.module, meaning.name)

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


def is_name(key: object) -> bool:
    """Whether a key can be the name of an argument.

    Args:
        key: The key.
    """
    return isinstance(key, str) and key.isidentifier() and not keyword.iskeyword(key)


def _literal(value: Any) -> str | None:
    if value is None or type(value) in (bool, int, bytes, range):
        return repr(value)
    if type(value) is str:
        text = repr(value)
        if '"' not in value and "'" not in value:
            text = f'"{text[1:-1]}"'
        # Two braces would be a template in a file that imports nothing.
        return text.replace("{{", "{\\x7b")
    if type(value) is float:
        return repr(value) if math.isfinite(value) else f'float("{value!r}")'
    if type(value) is complex:
        return repr(value) if math.isfinite(abs(value)) else f"complex({str(value)!r})"
    return None


def _filled(entries: list[str], width: int) -> list[str]:
    """Numbers, as many to a line as fit."""
    lines: list[str] = []
    for entry in entries:
        if lines and len(lines[-1]) + len(entry) + 2 <= width:
            lines[-1] += f", {entry}"
        else:
            lines.append(entry)
    return lines
