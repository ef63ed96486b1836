"""Print a config as Python that reads back as an equal config.

The text is a sequence of assignments in the order of the config, ``type`` first: recorded calls as
calls, ``dict(...)`` where all keys are names and ``{...}`` elsewhere. What is imported is named by
its import. Objects that have no name are shown in angle brackets. Nothing makes it fail.
"""

from __future__ import annotations

import contextlib
import keyword
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Any

from mainspring.config.config_dict import keeping_lazy
from mainspring.config.data_formats import dump_data
from mainspring.config.node import Node
from mainspring.config.parse import MARK
from mainspring.config.plain import plain
from mainspring.config.references import Imports, is_printed_as_call
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["dump_data", "format_config", "plain"]

WIDTH = 88
_SHADOWING = frozenset(
    {"dict", "float", "globals", "set", "frozenset", "range", "complex", "later"}
)
"""Names that the printed text itself uses."""


def format_config(values: Mapping[Any, Any]) -> str:
    """The text of a config.

    Args:
        values: The config; names that are not imported yet stay so.

    Returns:
        Lines of Python, the last one ended.
    """
    for value in dict.values(values) if isinstance(values, dict) else values.values():
        _name_edited(value)
    keys = list(dict.keys(values) if isinstance(values, dict) else values)
    imports = Imports(values, {*_SHADOWING, *(key for key in keys if _is_name(key))})
    printer = _Printer(imports)
    names = [key for key in keys if _is_name(key) and key not in _SHADOWING]
    shadowing = [key for key in keys if _is_name(key) and key in _SHADOWING]
    others = {key: _raw(values, key) for key in keys if not _is_name(key)}
    lines = [f"{key} = {printer.text(_raw(values, key), 0, len(key) + 3)}" for key in names]
    if others:
        lines.append(f"globals().update({printer.braces(others, 0, 17)})")
    if shadowing:
        # One assignment: all values are computed before the first name changes its meaning.
        targets = ", ".join(shadowing)
        texts = [printer.text(_raw(values, key), 4, 0) for key in shadowing]
        lines.append(f"{targets} = (\n" + "".join(f"    {text},\n" for text in texts) + ")")
        if len(shadowing) == 1:
            lines[-1] = f"{targets} = {texts[0]}"
    statements = imports.lines()
    head = [MARK, *statements, ""] if statements else []
    return "".join(f"{line}\n" for line in [*head, *lines])


def _name_edited(value: Any) -> None:
    """Give names to the positional arguments of calls that were edited, one of which may be both.

    Only importing the callable tells; where that fails the call is printed as it stands.
    """
    if isinstance(value, Node) and value.is_edited:
        with contextlib.suppress(Exception), keeping_lazy(False):
            value.bind()
    if isinstance(value, dict | list | tuple):
        for item in dict.values(value) if isinstance(value, dict) else value:
            _name_edited(item)


def _raw(values: Mapping[Any, Any], key: Any) -> Any:
    return dict.__getitem__(values, key) if isinstance(values, dict) else values[key]


def _is_name(key: Any) -> bool:
    if not isinstance(key, str) or not key.isidentifier() or keyword.iskeyword(key):
        return False
    # Python normalises the names that it reads.
    return key.isascii() or unicodedata.normalize("NFKC", key) == key


def _ordered(value: Mapping[Any, Any]) -> list[Any]:
    keys = list(dict.keys(value)) if isinstance(value, dict) else list(value)
    return ["type", *(key for key in keys if key != "type")] if "type" in keys else keys


class _Printer:
    """Prints values; remembers the one-line form of each container while it works.

    Args:
        imports: Names what is imported.
    """

    def __init__(self, imports: Imports) -> None:
        self._imports = imports
        self._flat: dict[int, str] = {}

    def text(self, value: Any, indent: int, used: int) -> str:
        """The text of a value.

        Args:
            value: The value.
            indent: Column at which the statement or item that holds it begins.
            used: Characters before the value on its line, beyond the indent.
        """
        flat = self.flat(value)
        if indent + used + len(flat) < WIDTH or not _is_container(value) or not _size(value):
            return flat
        return self._broken(value, indent, braces=False)

    def braces(self, value: Mapping[Any, Any], indent: int, used: int) -> str:
        """The text of a dict as a display, also where all keys are names."""
        entries = ", ".join(f"{self.flat(k)}: {self.flat(_raw(value, k))}" for k in value)
        flat = f"{{{entries}}}"
        return (
            flat if indent + used + len(flat) < WIDTH else self._broken(value, indent, braces=True)
        )

    def _broken(self, value: Any, indent: int, *, braces: bool) -> str:
        inner = indent + 4
        if isinstance(value, dict):
            opening, entries, closing = self._dict_lines(value, inner, braces=braces)
        else:
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            entries = self._item_lines(value, inner)
        pad = " " * inner
        lines = "".join(f"{pad}{entry},\n" for entry in entries)
        return f"{opening}\n{lines}{' ' * indent}{closing}"

    def _dict_lines(
        self, value: dict[Any, Any], indent: int, *, braces: bool
    ) -> tuple[str, list[str], str]:
        keys = _ordered(value)
        if is_printed_as_call(value):
            opening, positional, keys, odd = self._call_parts(value)
            lines = [self.text(item, indent, 1) for item in positional]
            lines += [f"{k}={self.text(_raw(value, k), indent, len(k) + 2)}" for k in keys]
            if odd:
                lines.append(f"**{self.braces(odd, indent, 3)}")
            return f"{opening}(", lines, ")"
        if all(_is_name(key) for key in keys) and not braces:
            lines = [f"{k}={self.text(_raw(value, k), indent, len(k) + 2)}" for k in keys]
            return "dict(", lines, ")"
        lines = []
        for key in keys:
            written = self.flat(key)
            lines.append(f"{written}: {self.text(_raw(value, key), indent, len(written) + 3)}")
        return "{", lines, "}"

    def _call_parts(self, node: dict[Any, Any]) -> tuple[str, list[Any], list[str], dict[Any, Any]]:
        """Callable, positional arguments, keys that are names, and the other arguments."""
        name = str(self._imports.name_of(dict.get(node, "type")))
        late = isinstance(node, Node) and node.is_late
        positional = dict.get(node, POSITIONAL_KEY, [])
        rest = [key for key in dict.keys(node) if key not in ("type", POSITIONAL_KEY)]
        odd = {key: _raw(node, key) for key in rest if not _is_name(key)}
        return (
            f"later({name})" if late else name,
            positional,
            [key for key in rest if _is_name(key)],
            odd,
        )

    def _item_lines(self, items: list[Any] | tuple[Any, ...], indent: int) -> list[str]:
        if not all(isinstance(item, int | float | complex) for item in items):
            return [self.text(item, indent, 1) for item in items]
        lines: list[str] = []
        for item in items:
            written = self.flat(item)
            if lines and indent + len(lines[-1]) + len(written) + 3 < WIDTH:
                lines[-1] += f", {written}"
            else:
                lines.append(written)
        return lines

    def flat(self, value: Any) -> str:
        """The text of a value in one line."""
        if not _is_container(value):
            return self._leaf(value)
        known = self._flat.get(id(value))
        if known is None:
            known = self._flat[id(value)] = "..."
            known = self._flat[id(value)] = self._flat_container(value)
        return known

    def _flat_container(self, value: Any) -> str:
        if is_printed_as_call(value):
            opening, positional, keys, odd = self._call_parts(value)
            parts = [self.flat(item) for item in positional]
            parts += [f"{key}={self.flat(_raw(value, key))}" for key in keys]
            if odd:
                entries = (f"{self.flat(key)}: {self.flat(item)}" for key, item in odd.items())
                parts.append(f"**{{{', '.join(entries)}}}")
            return f"{opening}({', '.join(parts)})"
        if isinstance(value, dict):
            keys = _ordered(value)
            if all(_is_name(key) for key in keys):
                return f"dict({', '.join(f'{k}={self.flat(_raw(value, k))}' for k in keys)})"
            entries = (f"{self.flat(key)}: {self.flat(_raw(value, key))}" for key in keys)
            return f"{{{', '.join(entries)}}}"
        items = ", ".join(self.flat(item) for item in value)
        if isinstance(value, list):
            return f"[{items}]"
        return f"({items},)" if len(value) == 1 else f"({items})"

    def _leaf(self, value: Any) -> str:
        name = self._imports.name_of(value)
        if name is not None:
            return name
        plain_value = plain(value)
        if isinstance(plain_value, str):
            # Two braces would be a template when the text is read again.
            return str.__repr__(plain_value).replace("{{", "{\\x7b")
        if isinstance(plain_value, float):
            return _float(plain_value)
        if isinstance(plain_value, complex):
            return _complex(plain_value)
        if isinstance(plain_value, set | frozenset):
            return self._set(plain_value)
        return repr(plain_value)

    def _set(self, value: set[Any] | frozenset[Any]) -> str:
        items = ", ".join(sorted(self.flat(item) for item in value))
        if isinstance(value, frozenset):
            return f"frozenset({{{items}}})" if value else "frozenset()"
        return f"{{{items}}}" if value else "set()"


def _is_container(value: Any) -> bool:
    return isinstance(value, dict | list | tuple)


def _size(value: Iterable[Any]) -> int:
    return dict.__len__(value) if isinstance(value, dict) else len(list(value))


def _float(value: float) -> str:
    text = float.__repr__(value)
    return text if text.lstrip("-")[0].isdigit() else f"float({text!r})"


def _complex(value: complex) -> str:
    text = repr(value)
    # As an expression of Python a minus sign would be applied to both parts.
    is_exact = "inf" not in text and "nan" not in text and "-0" not in text and text[0] != "-"
    return text if is_exact else f"complex({text.strip('()')!r})"
