"""Print values as the Python of a recorded config."""

from __future__ import annotations

import enum
from pathlib import PurePath
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.printing import printer as config_printer
from mainspring.config.printing.plain import LITERALS
from mainspring.errors import ConfigError
from mainspring.names import DataName, origin_of
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.registry.shared import repeated_calls
from mainspring.tools.convert.names import Form, Meaning, import_parts, lazy_import_parts
from mainspring.tools.convert.report import Attempt
from mainspring.walk import items_of

__all__ = ["Printer"]


class Printer(config_printer.Printer):
    """Prints values; a dict with a type becomes a call where the type is known.

    How a value is printed depends on the keys that lead to it, and on whether what holds it takes
    dicts rather than calls.

    Args:
        attempt: What the file is; is given what the text uses, and what became of each type.
    """

    width = 100

    def __init__(self, attempt: Attempt) -> None:
        super().__init__()
        self._attempt = attempt
        self._names = attempt.names
        self._imports = attempt.imports

    def assignment(self, left: str, value: Any, keys: tuple[str, ...]) -> str:
        """The line that assigns a value.

        Args:
            left: What stands before the equals sign.
            value: The value.
            keys: The keys that lead to it.

        Raises:
            ConfigError: There is no Python for it.
        """
        return f"{left} = {self.text(value, 0, len(left) + 3, (keys, False))}"

    def shared_lines(self, values: dict[Any, Any]) -> list[str]:
        """Private variables for the calls that stand in several places, to which the text refers.

        Args:
            values: The values of a config.
        """
        shared = repeated_calls(values)
        lines: list[str] = []

        def visit(part: Any, keys: tuple[str, ...]) -> None:
            if not isinstance(part, dict | list | tuple) or id(part) in self.named:
                return
            for key, item in items_of(part):
                visit(item, (*keys, str(key)) if isinstance(part, dict) else keys)
            if id(part) in shared:
                name = f"_shared_{len(self.named) + 1}"
                lines.append(self.assignment(name, part, keys))
                self.named[id(part)] = name

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
            return self.leaf(kind, (keys, False))
        return self._imports.name(meaning.module, meaning.name)

    def parts(self, value: Any, how: tuple[tuple[str, ...], bool]) -> config_printer.Parts:
        """What a container is made of, with calls for the dicts whose type is known."""
        if not isinstance(value, dict):
            return super().parts(value, how)
        keys, spec = how
        if isinstance(value, Node) and value.is_edited:
            value.try_bind()  # what was set may stand among the positional arguments
        items = dict(dict.items(value))
        positional = items.pop(POSITIONAL_KEY, []) if isinstance(value, Node) else []
        kind, called = items.get("type"), None
        meaning = self._type(kind, keys)
        if meaning is not None:
            self._attempt.on_type(".".join(keys), None)
            form = meaning.form(key for key in items if key != "type")
            if isinstance(value, Node):
                form = Form.LATE if value.is_late else Form.CALL
            elif spec:
                form = Form.DICT
            name = self._imports.name(meaning.module, meaning.name)
            if form is Form.DICT:
                items["type"] = _Name(name)
            else:
                items.pop("type")
                called = f"{self._imports.word('later')}({name})" if form is Form.LATE else name
        elif isinstance(kind, str):
            self._attempt.on_type(".".join(keys), self._names.why[kind])

        def how_of(key: Any) -> tuple[tuple[str, ...], bool]:
            if key is None:
                return keys, False
            return (*keys, str(key)), meaning is not None and meaning.keeps_dict(str(key))

        return self.entries(called, positional, items, how_of)

    def _type(self, kind: Any, keys: tuple[str, ...]) -> Meaning | None:
        if isinstance(kind, str):
            return self._names.find(kind, keys)
        if isinstance(kind, LazyObject | LazyAttr):
            parts = lazy_import_parts(kind)
        else:
            parts = import_parts(kind) if callable(kind) else None
        return None if parts is None else self._names.imported(*parts, keys, origin_of(kind))

    def leaf(self, value: Any, how: Any = None) -> str:
        """The text of a value that holds no others."""
        if isinstance(value, _Name):
            return str(value)
        if type(value) in (*LITERALS, DataName, set, frozenset):
            return self.literal(value)
        if isinstance(value, PurePath):
            return f"{self._imports.name('pathlib', 'Path')}({self.quoted(str(value))})"
        member, parts = "", None
        if isinstance(value, LazyObject | LazyAttr):
            module, _, name = dotted_path(value).rpartition(".")
            parts = lazy_import_parts(value) or ((module, name) if module else None)
        elif isinstance(value, enum.Enum):
            parts, member = import_parts(type(value)), f".{value.name}"
        elif callable(value):
            parts = import_parts(value)
        if parts is not None and parts[0]:
            return f"{self._imports.name(*parts)}{member}"
        raise ConfigError(
            f"{value!r:.80} cannot be written in a config",
            config_path=".".join(how[0] if how else ()),
            help="move it to a module, and import it from there",
        )

    def quoted(self, text: str) -> str:
        """A text in quotes."""
        # Two braces would be a template in a file that imports nothing.
        return config_printer.double_quoted(text).replace("{{", "{\\x7b")


class _Name(str):
    """What is printed without quotes."""

    __slots__ = ()
