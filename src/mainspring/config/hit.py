"""A place of a config file that writes a path."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mainspring.config.python_writes import Scope
from mainspring.errors import Location

if TYPE_CHECKING:
    from mainspring.config.locate_python import PythonFile

__all__ = ["Hit"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A place that writes a path.

    Attributes:
        location: The place.
        line: The line of the file, without the space around it.
        exact: Whether the key itself stands there; otherwise it is what holds it.
        certain: Whether the line is always reached; otherwise another one may have counted.
        value: What is written there, in a Python file.
        file: The Python file.
        scope: The names that the value can use.
        before: How many writes of the scope precede it.
    """

    location: Location
    line: str
    exact: bool = True
    certain: bool = True
    value: ast.expr | None = None
    file: PythonFile | None = None
    scope: Scope = field(default_factory=lambda: Scope([]))
    before: int = 0

    @property
    def literal(self) -> tuple[bool, Any]:
        """Whether a literal is written there, and its value."""
        if self.value is None or self.file is None or not self.exact:
            return False, None
        last = self.value.end_lineno or self.value.lineno
        text = "\n".join(self.file.lines[self.value.lineno - 1 : last])
        if "{{" in text and not self.file.recorded:
            return False, None  # a template was filled there
        try:
            return True, ast.literal_eval(self.value)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return False, None

    def may_give(self, value: Any) -> bool:
        """Whether the line can be the one that gave a value."""
        is_literal, literal = self.literal
        return self.certain or not is_literal or bool(literal == value)
