"""Print values as Python: in one line where it fits, else with an entry to a line."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from mainspring.config.printing.plain import is_name
from mainspring.output import masked
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["Display", "Parts", "Printer", "double_quoted"]

Parts = tuple[str, list[tuple[str, Any, Any]], str]
"""What a container begins with; of its items what precedes each, the item, and how it is printed;
and what the container ends with."""


class Display(dict[Any, Any]):
    """A dict that is printed in braces, also where all of its keys are names."""


class Printer:
    """Lays out dicts, lists and tuples, and prints literals; derived classes print what is named.

    Attributes:
        width: Lines are shorter.
        named: Variables that stand for values, by the `id` of these.
    """

    width = 88

    def __init__(self) -> None:
        self.named: dict[int, str] = {}
        self._flat: dict[tuple[int, Any], tuple[Any, str]] = {}

    def text(self, value: Any, indent: int = 0, used: int = 0, how: Any = None) -> str:
        """The text of a value.

        Args:
            value: The value.
            indent: Column at which the statement or item that holds it begins.
            used: Characters before the value on its line, beyond the indent.
            how: What the derived class knows of the place.
        """
        flat = self.flat(value, how)
        fits = indent + used + len(flat) < self.width or id(value) in self.named
        if fits or not isinstance(value, dict | list | tuple):
            return flat
        opening, entries, closing = self.parts(value, how)
        texts = [
            f"{prefix}{self.text(item, indent + 4, len(prefix) + 1, inner)}"
            for prefix, item, inner in entries
        ]
        if opening in "[(" and all(isinstance(item, int | float | complex) for item in value):
            # As many numbers to a line as fit.
            fill = textwrap.TextWrapper(
                self.width - indent - 5, break_long_words=False, break_on_hyphens=False
            )
            texts = [line.removesuffix(",") for line in fill.wrap(", ".join(texts))]
        lines = "".join(f"{' ' * (indent + 4)}{text},\n" for text in texts)
        return f"{opening}\n{lines}{' ' * indent}{closing.lstrip(',')}" if lines else flat

    def flat(self, value: Any, how: Any = None) -> str:
        """The text of a value in one line; that of a container is remembered."""
        if id(value) in self.named:
            return self.named[id(value)]
        if not isinstance(value, dict | list | tuple):
            return self.leaf(value, how)
        key = (id(value), how)
        if key not in self._flat:
            self._flat[key] = (value, "...")
            opening, entries, closing = self.parts(value, how)
            inside = ", ".join(
                f"{prefix}{self.flat(item, inner)}" for prefix, item, inner in entries
            )
            self._flat[key] = (value, f"{opening}{inside}{closing}")
        return self._flat[key][1]

    def parts(self, value: Any, how: Any) -> Parts:
        """What a container is made of.

        Args:
            value: A dict, list or tuple.
            how: As for `text`.
        """
        if isinstance(value, list | tuple):
            opening, closing = ("[", "]") if isinstance(value, list) else ("(", ")")
            closing = ",)" if isinstance(value, tuple) and len(value) == 1 else closing
            return opening, [("", item, how) for item in value], closing
        items = dict(dict.items(value))
        if "type" in items:
            items = {"type": items["type"], **items}
        name = self.callee(value)
        if name is None:
            return self.entries(None, (), Display(items) if isinstance(value, Display) else items)
        items.pop("type")
        called = f"later({name})" if value.is_late else name
        return self.entries(called, items.pop(POSITIONAL_KEY, ()), items)

    def entries(
        self,
        called: str | None,
        positional: Iterable[Any],
        items: Mapping[Any, Any],
        how_of: Callable[[Any], Any] = lambda _: None,
    ) -> Parts:
        """What a call, or a dict, is made of.

        Args:
            called: What is called; ``None`` for a dict.
            positional: Arguments without names.
            items: The others, or the items.
            how_of: How the item of a key is printed; of ``None``, a positional argument.
        """
        odd = Display({key: item for key, item in items.items() if not is_name(key)})
        if called is None and (odd or isinstance(items, Display)):
            shown = [(f"{self.flat(key)}: ", item, how_of(key)) for key, item in items.items()]
            return "{", shown, "}"
        named = [(f"{key}=", item, how_of(key)) for key, item in items.items() if key not in odd]
        unnamed = [("**", odd, None)] if odd else []
        first = [("", item, how_of(None)) for item in positional]
        return f"{called or 'dict'}(", [*first, *named, *unnamed], ")"

    def callee(self, value: dict[Any, Any]) -> str | None:
        """The name of what a recorded call calls; ``None`` for what is printed as a dict."""
        return None

    def leaf(self, value: Any, how: Any = None) -> str:
        """The text of a value that holds no others."""
        return self.literal(value)

    def literal(self, value: Any) -> str:
        """The text of a number, a text, a set and whatever else Python has literals for."""
        if isinstance(value, str):
            return self.quoted(value)
        if isinstance(value, float):
            text = float.__repr__(value)
            return text if text.lstrip("-")[0].isdigit() else f"float({self.quoted(text)})"
        if isinstance(value, complex):
            text = repr(value)
            # As an expression of Python a minus sign would be applied to both parts.
            is_odd = "inf" in text or "nan" in text or "-0" in text or text[0] == "-"
            return f"complex({self.quoted(text.strip('()'))})" if is_odd else text
        if isinstance(value, set | frozenset):
            text = f"{{{', '.join(sorted(map(self.flat, value)))}}}" if value else ""
            return f"frozenset({text})" if isinstance(value, frozenset) else text or "set()"
        return "..." if value is ... else repr(value)

    def quoted(self, text: str) -> str:
        """A text in quotes, without secrets."""
        return str.__repr__(masked(text))


def double_quoted(text: str) -> str:
    """A text in quotes as formatters write them: double ones, but where it holds some itself."""
    shown = str.__repr__(text)
    return shown if '"' in text or "'" in text else f'"{shown[1:-1]}"'
