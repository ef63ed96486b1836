"""Checkpoints that a run loads and that are not there."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from mainspring.check.nearest import nearest
from mainspring.check.problem import Problems
from mainspring.errors import suggestion

__all__ = ["find_missing_files"]

_REMOTE = re.compile(r"[A-Za-z][\w+.-]+:")
"""``https://``, ``s3://``, ``torchvision://``, ``mmpretrain://``, ``open-mmlab:``, ...; a drive of
Windows has one letter."""


def find_missing_files(values: dict[Any, Any], problems: Problems) -> None:
    """Find local checkpoints that ``load_from`` or ``resume`` names and that do not exist.

    Args:
        values: The whole config, not imported.
        problems: Where to report.
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
        folder = Path(path).parent
        try:
            hint = suggestion(nearest(Path(path).name, [entry.name for entry in folder.iterdir()]))
            advice = hint and f"{hint} (in {folder})"
        except OSError:
            advice = f"there is no folder {str(folder)!r}"
        problems.add("error", f"{name} is {path!r}, which does not exist", (name,), advice)
