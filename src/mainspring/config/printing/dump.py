"""Print a config as Python that reads back as an equal config.

The text is a sequence of assignments in the order of the config, ``type`` first: recorded calls as
calls, ``dict(...)`` where all keys are names and ``{...}`` elsewhere. What is imported is named by
its import, a call that stands in several places by a variable. ``lost(...)`` stands for an object
that nothing can restore. Nothing makes it fail.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.config.node import Node
from mainspring.config.printing.parse import MARK, SHARED
from mainspring.config.printing.plain import call_of, has_literal, is_name, plain
from mainspring.config.printing.printer import Display, Printer
from mainspring.config.printing.references import Imports, is_printed_as_call, shared_calls
from mainspring.config.text_dialect.data_formats import dump_data
from mainspring.names import holds_data_names
from mainspring.output import Secret
from mainspring.walk import items_of, parts_of

__all__ = ["dump_data", "format_config", "plain"]

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
    parts = dict(dict.items(values)) if isinstance(values, dict) else dict(values)
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
        lines.append(f"globals().update({printer.text(Display(others), 0, 17)})")
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


class _Printer(Printer):
    """Prints a config, with variables for the calls that stand in several places.

    Args:
        imports: Names what is imported.
        shared: The calls that get a variable, by their `id`.

    Attributes:
        is_data: Whether only our reader of dumps understands what was printed.
    """

    def __init__(self, imports: Imports, shared: Mapping[int, Node]) -> None:
        super().__init__()
        self._imports = imports
        self._shared = shared
        self.is_data = False

    def variables(self, value: Any) -> list[str]:
        """Statements for the shared calls inside of a value that have no variable yet."""
        lines: list[str] = []
        for _, part in items_of(value):
            if isinstance(part, dict | list | tuple) and id(part) not in self.named:
                lines += self.variables(part)
                if isinstance(part, Node) and id(part) in self._shared:
                    kind = self._imports.name_of(dict.get(part, "type")) or ""
                    name = SHARED + kind.rpartition(".")[2].lower()
                    taken = set(self.named.values())
                    names = (name, *(f"{name}_{number}" for number in range(2, len(taken) + 3)))
                    chosen = next(one for one in names if one not in taken)
                    lines.append(f"{chosen} = {self.text(part, 0, len(chosen) + 3)}")
                    self.name(part, chosen)
        return lines

    def name(self, value: Any, name: str) -> None:
        """From here on refer to a shared call by a variable."""
        if id(value) in self._shared and id(value) not in self.named:
            self.named[id(value)] = name

    def callee(self, value: dict[Any, Any]) -> str | None:
        is_call = is_printed_as_call(value)
        return self._imports.name_of(dict.get(value, "type")) if is_call else None

    def leaf(self, value: Any, how: Any = None) -> str:
        name = self._imports.name_of(value)
        if name is not None:
            return name
        if isinstance(value, Secret):
            return f"env({value.variable!r})"
        call = call_of(value)
        if call is not None:
            module, _, name = call[0].rpartition(".")
            arguments = ", ".join(self.flat(argument) for argument in call[1])
            return f"{self._imports.name_at(module, name)}({arguments})"
        shown = plain(value)
        if isinstance(shown, str) and not has_literal(value):
            self.is_data = True
            return f"lost({self.quoted(shown)})"
        return self.literal(shown)

    def quoted(self, text: str) -> str:
        # Two braces would be a template when the text is read again.
        return super().quoted(text).replace("{{", "{\\x7b")
