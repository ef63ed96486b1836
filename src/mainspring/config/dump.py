"""Print a config as Python that reads back as an equal config.

The text is a sequence of assignments in the order of the config, ``type`` first: recorded calls as
calls, ``dict(...)`` where all keys are names and ``{...}`` elsewhere. What is imported is named by
its import, a call that stands in several places by a variable. ``lost(...)`` stands for an object
that nothing can restore. Nothing makes it fail.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mainspring.config.data_formats import dump_data
from mainspring.config.node import Node
from mainspring.config.parse import MARK, SHARED
from mainspring.config.plain import has_literal, is_name, plain
from mainspring.config.references import Imports, is_printed_as_call, shared_calls
from mainspring.config.values import call_of
from mainspring.names import holds_data_names
from mainspring.output import Secret, masked
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.walk import parts_of

__all__ = ["dump_data", "filled", "format_config", "plain"]

WIDTH = 88
_SHADOWING = frozenset(
    {"dict", "float", "globals", "set", "frozenset", "range", "complex", "env", "later", "lost"}
)
"""Names that the printed text itself uses, beside builtins that stand in it as values."""


def format_config(values: Mapping[Any, Any]) -> str:
    """The text of a config.

    Args:
        values: The config; names that are not imported yet stay so.

    Returns:
        Lines of Python, the last one ended.
    """
    for part in parts_of(dict(values)):
        if isinstance(part, Node) and part.is_edited:
            part.try_bind()  # one of its positional arguments may be what was edited
    imports = Imports(values, {*_SHADOWING, *(key for key in values if is_name(key))})
    printer = _Printer(imports, shared_calls(values))
    shadowing = {*_SHADOWING, *imports.builtins}
    parts = {key: _raw(values, key) for key in dict.keys(dict(values))}
    names = [key for key in parts if is_name(key) and not key.startswith(SHARED)]
    last = [key for key in names if key in shadowing]
    others = {key: part for key, part in parts.items() if key not in names}
    lines: list[str] = []
    for key in (key for key in names if key not in shadowing):
        lines += printer.variables(parts[key])
        lines.append(f"{key} = {printer.text(parts[key], 0, len(key) + 3)}")
        printer.name(parts[key], key)
    lines += printer.variables([others, *(parts[key] for key in last)])
    if others:
        lines.append(f"globals().update({printer.text(others, 0, 17, braces=True)})")
    if last:
        # One assignment: all values are computed before the first name changes its meaning.
        texts = [printer.text(parts[key], 4, 0) for key in last]
        several = "(\n" + "".join(f"    {text},\n" for text in texts) + ")"
        lines.append(f"{', '.join(last)} = {several if len(last) > 1 else texts[0]}")
    statements = imports.lines()
    # Names that data gave stay names of data when the text is read again.
    is_data = statements or printer.is_data or holds_data_names(values)
    head = [MARK, *statements, ""] if is_data else []
    return "".join(f"{line}\n" for line in [*head, *lines])


def _raw(values: Mapping[Any, Any], key: Any) -> Any:
    return dict.__getitem__(values, key) if isinstance(values, dict) else values[key]


def _ordered(value: Mapping[Any, Any]) -> list[Any]:
    keys = list(dict.keys(value)) if isinstance(value, dict) else list(value)
    return ["type", *(key for key in keys if key != "type")] if "type" in keys else keys


class _Printer:
    """Prints values; remembers the one-line form of each container while it works.

    Args:
        imports: Names what is imported.
        shared: The calls that get a variable, by their `id`.

    Attributes:
        is_data: Whether only our reader of dumps understands what was printed.
    """

    def __init__(self, imports: Imports, shared: Mapping[int, Node]) -> None:
        self._imports = imports
        self._shared = shared
        self._flat: dict[int, str] = {}
        self._named: dict[int, str] = {}
        self._arguments: list[Any] = []
        self.is_data = False

    def variables(self, value: Any) -> list[str]:
        """Statements for the shared calls inside of a value that have no variable yet."""
        lines: list[str] = []
        if not _is_container(value):
            return lines
        for part in dict.values(value) if isinstance(value, dict) else value:
            if _is_container(part) and id(part) not in self._named:
                lines += self.variables(part)
                if id(part) in self._shared:
                    kind = self._imports.name_of(dict.get(part, "type")) or ""
                    name = SHARED + kind.rpartition(".")[2].lower()
                    taken = set(self._named.values())
                    names = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
                    chosen = next(one for one in names if one not in taken)
                    lines.append(f"{chosen} = {self.text(part, 0, len(chosen) + 3)}")
                    self.name(part, chosen)
        return lines

    def name(self, value: Any, name: str) -> None:
        """From here on refer to a shared call by a variable."""
        if id(value) in self._shared and id(value) not in self._named:
            self._named[id(value)] = self._flat[id(value)] = name

    def text(self, value: Any, indent: int, used: int, *, braces: bool = False) -> str:
        """The text of a value.

        Args:
            value: The value.
            indent: Column at which the statement or item that holds it begins.
            used: Characters before the value on its line, beyond the indent.
            braces: Whether a dict is printed as a display, also where all keys are names.
        """
        flat = self.flat(value, 0, braces=braces)
        fits = indent + used + len(flat) < WIDTH or id(value) in self._named
        if fits or not _is_container(value) or not _size(value):
            return flat

        def inner(item: Any, before: int, *, braces: bool = False) -> str:
            return self.text(item, indent + 4, before, braces=braces)

        opening, entries, closing = self._parts(value, inner, braces)
        if opening in "[(" and all(isinstance(item, int | float | complex) for item in value):
            entries = filled(entries, WIDTH - indent - 6)
        pad = " " * (indent + 4)
        lines = "".join(f"{pad}{entry},\n" for entry in entries)
        return f"{opening}\n{lines}{' ' * indent}{closing.lstrip(',')}"

    def flat(self, value: Any, _used: int = 0, *, braces: bool = False) -> str:
        """The text of a value in one line."""
        if not _is_container(value):
            return self._leaf(value)
        known = None if braces else self._flat.get(id(value))
        if known is None:
            self._flat.setdefault(id(value), "...")
            opening, entries, closing = self._parts(value, self.flat, braces)
            known = f"{opening}{', '.join(entries)}{closing}"
            self._flat.pop(id(value))
            if not braces:
                self._flat[id(value)] = known
        return known

    def _parts(
        self, value: Any, text: Callable[..., str], braces: bool
    ) -> tuple[str, list[str], str]:
        """What a container begins with, its entries and what it ends with.

        Args:
            value: The container.
            text: Gives the text of an item, by the characters before it on its line.
            braces: As for `text`.
        """
        if isinstance(value, list | tuple):
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            closing = f",{closing}" if isinstance(value, tuple) and len(value) == 1 else closing
            return opening, [text(item, 1) for item in value], closing
        keys = _ordered(value)
        if is_printed_as_call(value):
            name = str(self._imports.name_of(dict.get(value, "type")))
            entries = [text(item, 1) for item in dict.get(value, POSITIONAL_KEY, [])]
            keys = [key for key in keys if key not in ("type", POSITIONAL_KEY)]
            odd = {key: _raw(value, key) for key in keys if not is_name(key)}
            entries += [f"{k}={text(_raw(value, k), len(k) + 2)}" for k in keys if k not in odd]
            entries += [f"**{text(odd, 3, braces=True)}"] if odd else []
            late = isinstance(value, Node) and value.is_late
            return f"later({name})(" if late else f"{name}(", entries, ")"
        if all(map(is_name, keys)) and not braces:
            return "dict(", [f"{k}={text(_raw(value, k), len(k) + 2)}" for k in keys], ")"
        written = [(self.flat(key), _raw(value, key)) for key in keys]
        return "{", [f"{key}: {text(item, len(key) + 3)}" for key, item in written], "}"

    def _leaf(self, value: Any) -> str:
        name = self._imports.name_of(value)
        if name is not None:
            return name
        if isinstance(value, Secret):
            return f"env({value.variable!r})"
        call = call_of(value)
        if call is not None:
            self._arguments.append(call[1])  # texts are remembered by `id`
            module, _, name = call[0].rpartition(".")
            arguments = ", ".join(self.flat(argument) for argument in call[1])
            return f"{self._imports.name_at(module, name)}({arguments})"
        plain_value = plain(value)
        if isinstance(plain_value, str):
            # Two braces would be a template when the text is read again.
            text = str.__repr__(masked(plain_value)).replace("{{", "{\\x7b")
            if has_literal(value):
                return text
            self.is_data = True
            return f"lost({text})"
        if isinstance(plain_value, float):
            return _float(plain_value)
        if isinstance(plain_value, complex):
            return _complex(plain_value)
        if isinstance(plain_value, set | frozenset):
            return self._set(plain_value)
        return "..." if plain_value is ... else repr(plain_value)

    def _set(self, value: set[Any] | frozenset[Any]) -> str:
        items = ", ".join(sorted(self.flat(item) for item in value))
        if isinstance(value, frozenset):
            return f"frozenset({{{items}}})" if value else "frozenset()"
        return f"{{{items}}}" if value else "set()"


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _size(value: Iterable[Any]) -> int:
    return dict.__len__(value) if isinstance(value, dict) else len(list(value))


def filled(entries: list[str], width: int) -> list[str]:
    """The texts of numbers, as many to a line as fit."""
    fill = textwrap.TextWrapper(width + 1, break_long_words=False, break_on_hyphens=False)
    return [line.removesuffix(",") for line in fill.wrap(", ".join(entries))]


def _float(value: float) -> str:
    text = float.__repr__(value)
    return text if text.lstrip("-")[0].isdigit() else f"float({text!r})"


def _complex(value: complex) -> str:
    text = repr(value)
    # As an expression of Python a minus sign would be applied to both parts.
    is_exact = "inf" not in text and "nan" not in text and "-0" not in text and text[0] != "-"
    return text if is_exact else f"complex({text.strip('()')!r})"
