"""What docstrings say about parameters."""

from __future__ import annotations

import inspect
import re
from typing import Any

__all__ = ["parameter_text"]

_PARAMETER = re.compile(r"\*{0,2}(\w+)\s*(?:\([^:]*\))?:\s*(.*)")


def parameter_text(target: Any, name: str) -> str:
    """What the docstring of a class, or of its constructor, says about a parameter.

    Args:
        target: The class or function.
        name: The parameter.
    """
    for documented in (target, getattr(target, "__init__", None)):
        text = inspect.getdoc(documented) if documented is not None else None
        found = _in_docstring(text or "", name)
        if found:
            return found
    return ""


def _in_docstring(text: str, name: str) -> str:
    """The description of a parameter in the ``Args:`` of a Google-style docstring."""
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if line.strip() in ("Args:", "Arguments:")]
    found: list[str] = []
    for start in starts:
        outer = _indent(lines[start])
        inner: int | None = None
        for line in lines[start + 1 :]:
            if not line.strip():
                continue
            indent = _indent(line)
            if indent <= outer:
                break
            inner = indent if inner is None else inner
            match = _PARAMETER.fullmatch(line.strip()) if indent == inner else None
            if indent == inner and found:
                break
            if match is not None and match.group(1) == name:
                found.append(match.group(2))
            elif found:
                found.append(line.strip())
    return " ".join(found).strip()


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
