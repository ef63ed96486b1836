"""Checkpoints that a run loads and that are not there."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainspring.check.nearest import nearest, suggestion
from mainspring.check.problem import Problem
from mainspring.config.places import Places

__all__ = ["missing_files"]

_REMOTE = re.compile(r"[A-Za-z][\w+.-]+:")
"""``https://``, ``s3://``, ``torchvision://``, ``mmpretrain://``, ``open-mmlab:``, ...; a drive of
Windows has one letter."""


def missing_files(values: dict[Any, Any], places: Places) -> Iterator[Problem]:
    """Local checkpoints that ``load_from`` or ``resume`` names and that do not exist.

    Args:
        values: The whole config, not imported.
        places: Where things are written.
    """
    for name in ("load_from", "resume"):
        path = dict.get(values, name)
        if not isinstance(path, str) or not path or path == "auto" or _REMOTE.match(path):
            continue
        work_dir = dict.get(values, "work_dir")
        in_work_dir = path
        if isinstance(work_dir, str) and os.path.dirname(path) == "":
            in_work_dir = os.path.join(work_dir, path)
        if "\0" in path or any(map(os.path.exists, (os.path.expanduser(path), in_work_dir))):
            continue
        yield Problem(
            "error",
            f"{name} is {path!r}, which does not exist",
            places.of((name,)),
            _nearest(path),
            name,
        )


def _nearest(path: str) -> str | None:
    folder = Path(path).parent
    try:
        names = [entry.name for entry in folder.iterdir()]
    except OSError:
        return f"there is no folder {str(folder)!r}"
    hint = suggestion(nearest(Path(path).name, names))
    return hint and f"{hint} (in {folder})"
