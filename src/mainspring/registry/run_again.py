"""Whether what registers a name is run again: a cell of a notebook, a prompt, a reload."""

from __future__ import annotations

import builtins
import importlib
import sys
from typing import Any

__all__ = ["is_made_again", "is_typed_in"]


def is_made_again(earlier: Any, now: Any) -> bool:
    """Whether a class or function takes the place of an earlier one that the same source made.

    Args:
        earlier: What has the name.
        now: What is being registered.
    """
    names = ("__module__", "__qualname__")
    if any(getattr(earlier, name, None) != getattr(now, name, earlier) for name in names):
        return False
    module = now.__module__
    return module in importlib._RELOADING or (module == "__main__" and is_typed_in())  # type: ignore[attr-defined]  # - in no stub


def is_typed_in() -> bool:
    """Whether the code that calls mainspring stands in no file: typed at a prompt or in a cell."""
    frame = sys._getframe(1)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).startswith(
        "mainspring."
    ):
        frame = frame.f_back
    names = frame.f_globals
    in_no_file = frame.f_code.co_filename.startswith("<") or "__file__" not in names
    return names.get("__name__") == "__main__" and (in_no_file or hasattr(builtins, "__IPYTHON__"))
