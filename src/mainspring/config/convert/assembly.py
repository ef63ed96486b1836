"""Put the parts of a new file together."""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence

from mainspring.config.convert.imports import Imports

__all__ = ["assemble"]


def assemble(text: str, imports: Imports, bases: Sequence[str]) -> str:
    """The text of a file with imports after its header.

    Args:
        text: The text.
        imports: What it needs.
        bases: Statements that import from configs.
    """
    inherited = "\n".join(bases)
    needed = "\n".join(imports.lines(f"{inherited}\n{text}"))
    block = "\n\n".join(group for group in (needed, inherited) if group)
    header, is_attached = _header(text)
    head, body = text[:header].rstrip("\n"), text[header:].strip("\n")
    result = "\n\n".join(part for part in (block, body) if part)
    if head:
        result = f"{head}\n{'' if is_attached and block else chr(10)}{result}"
    return f"{result.rstrip()}\n" if result.strip() else ""


def _header(text: str) -> tuple[int, bool]:
    """Where new imports belong, and whether they follow at once.

    They come after the first comments and the docstring, and after the imports that are there.
    """
    body = ast.parse(text).body
    line, is_attached = 0, True
    for node in body:
        is_docstring = (
            node is body[0] and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        )
        is_import = isinstance(node, ast.Import) or (
            isinstance(node, ast.ImportFrom) and not node.level
        )
        if not (is_docstring or is_import):
            break
        line, is_attached = node.end_lineno or line, is_import
    lines = text.split("\n")
    if line == 0:
        while line < len(lines) and lines[line].startswith("#"):
            line += 1
        # A comment right above a section belongs to that section.
        follows = lines[line] if line < len(lines) else ""
        first = lines[0].lower() if lines else ""
        is_notice = "copyright" in first or first.startswith("#!")
        if follows.strip() and not is_notice and not re.match(r"(from|import|with)\b", follows):
            line = 0
        elif is_notice and follows.strip():
            line = max(1, _end_of_notice(lines))
    return sum(len(text_line) + 1 for text_line in lines[:line]), is_attached


def _end_of_notice(lines: Sequence[str]) -> int:
    return next((i for i, line in enumerate(lines) if not line.startswith("#")), len(lines))
