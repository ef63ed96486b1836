"""Checkpoints that a run loads and that are not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from mainspring.check.nearest import nearest, suggestion
from mainspring.check.problem import Problem
from mainspring.check.run import Run

__all__ = ["missing_files"]

_REMOTE = re.compile(r"[A-Za-z][\w+.-]+:")
"""``https://``, ``s3://``, ``torchvision://``, ``mmpretrain://``, ``open-mmlab:``, ...; a drive of
Windows has one letter."""


def missing_files(run: Run) -> Iterator[Problem]:
    """Local checkpoints that ``load_from`` or ``resume`` names and that do not exist.

    Args:
        run: The run.
    """
    for name in ("load_from", "resume"):
        path = run.section(name)
        if not isinstance(path, str) or not path or path == "auto" or _REMOTE.match(path):
            continue
        if "\0" in path or os.path.exists(os.path.expanduser(path)):
            continue
        yield run.problem(
            "error",
            f"{name} is {path!r}, which does not exist",
            (name,),
            help=_nearest(path),
        )


def _nearest(path: str) -> str | None:
    folder = Path(path).parent
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return f"there is no folder {str(folder)!r}"
    hint = suggestion(nearest(Path(path).name, names))
    return hint and f"{hint} (in {folder})"
