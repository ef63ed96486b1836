"""What docstrings say about parameters."""

from __future__ import annotations

import inspect
import re
from typing import Any

__all__ = ["parameter_text"]

_ARGUMENTS = re.compile(r"^Arg(?:ument)?s:\n((?: +.*\n?|\n)*)", re.MULTILINE)


def parameter_text(target: Any, name: str) -> str:
    """What the docstring of a class, or of its constructor, says about a parameter.

    Args:
        target: The class or function.
        name: The parameter.
    """
    for documented in (target, getattr(target, "__init__", None)):
        text = inspect.getdoc(documented) if documented is not None else None
        for section in _ARGUMENTS.finditer(text or ""):
            indent = " " * (len(section[1]) - len(section[1].lstrip(" ")))
            entry = rf"^{indent}\*{{0,2}}{name}\s*(?:\([^:]*\))?:(.*(?:\n{indent} .*|\n\s*$)*)"
            found = re.search(entry, section[1], re.MULTILINE)
            if found is not None:
                return " ".join(found[1].split())
    return ""
