"""The messages in the source, as text: for the page that lists them, and for its test."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "mainspring"
GAP = "..."
"""Stands for what a message shows: a name, a value, a place."""


@dataclass(frozen=True, order=True)
class Message:
    """What an error or warning says.

    Attributes:
        error: Name of the class that is made with it.
        text: The message.
        help: What to do; empty where that depends on the case, or the message says it.
        package: The package that says it.
    """

    error: str
    text: str
    help: str
    package: str


def messages() -> Iterator[Message]:
    """All errors and warnings that are written as text where they are raised."""
    for path in sorted(SOURCE.rglob("*.py")):
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and _name(node.func).endswith("Error") and node.args:
                text = _text(node.args[0])
                given = {keyword.arg: _text(keyword.value) for keyword in node.keywords}
                helps = given.get("help", "")
                if any(part.strip() for part in text.split(GAP)):
                    yield Message(
                        _name(node.func).lstrip("_"),
                        _in_a_line(text),
                        "" if helps == GAP else _in_a_line(helps),
                        package,
                    )


def _name(function: ast.expr) -> str:
    if isinstance(function, ast.Name):
        return function.id
    return function.attr if isinstance(function, ast.Attribute) else ""


def _text(node: ast.expr) -> str:
    """What a literal says, with gaps for its values."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(map(_text, node.values))
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left) + _text(node.right)
    if isinstance(node, ast.IfExp):
        return _text(node.body)
    return GAP


def _in_a_line(text: str) -> str:
    return " ".join(text.split())
