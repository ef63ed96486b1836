"""Which checkpoints of a work directory were there before the run that it now belongs to.

A run that is killed before its first checkpoint must not be continued from what another one left in
its place. So a run that begins anew notes which files it finds, each by size and time: one that is
replaced later is its own.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Iterable
from pathlib import Path

from mainspring.replacing import replacing

__all__ = ["is_of_earlier_run", "note_earlier_files", "set_aside"]

_NOTE = ".earlier_checkpoints"


def note_earlier_files(work_dir: str, files: Iterable[Path]) -> None:
    """Note the files that are there when a run begins anew.

    Args:
        work_dir: Work directory of the run.
        files: Checkpoints, in the directory or elsewhere.

    Raises:
        OSError: The storage refuses.
    """
    note = Path(work_dir) / _NOTE
    found = {os.path.relpath(path, work_dir): _identity(path) for path in files}
    if not found:
        note.unlink(missing_ok=True)
        return
    with replacing(note) as file:
        file.write(json.dumps(found, indent=0).encode())


def is_of_earlier_run(path: str | Path, work_dir: str) -> bool:
    """Whether a checkpoint was there already when the run of a work directory began.

    Args:
        path: The checkpoint.
        work_dir: Work directory of the run.
    """
    note = Path(work_dir) / _NOTE
    try:
        found = json.loads(note.read_bytes()) if note.is_file() else {}
        return found.get(os.path.relpath(path, work_dir)) == _identity(Path(path))
    except (OSError, ValueError, AttributeError):
        return False  # a note that was damaged says nothing


def _identity(path: Path) -> list[int]:
    status = path.stat()
    return [status.st_size, status.st_mtime_ns]


def set_aside(pattern: str, directory: str | Path, work_dir: str) -> list[Path]:
    """Move files of earlier runs into the folder ``earlier``, so that a pattern finds none of them.

    Args:
        pattern: Of the names of the files.
        directory: Where they are.
        work_dir: Work directory of the run.

    Returns:
        Where they are now.
    """
    moved = []
    for path in sorted(Path(directory).glob(pattern)):
        if is_of_earlier_run(path, work_dir):
            folder = path.parent / "earlier"
            folder.mkdir(exist_ok=True)
            names = (f"{path.stem}{f'.{n}' if n else ''}{path.suffix}" for n in itertools.count())
            target = next(folder / name for name in names if not (folder / name).exists())
            moved.append(path.rename(target))
    return moved
