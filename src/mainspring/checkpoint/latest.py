"""Which checkpoint of a run is the newest: the small text file that names it."""

from __future__ import annotations

from pathlib import Path

from mainspring.logging import print_log

__all__ = ["LAST_CHECKPOINT", "find_latest_checkpoint", "resolve_recorded_path"]

LAST_CHECKPOINT = "last_checkpoint"


def resolve_recorded_path(recorded: str, directory: str | Path) -> str:
    """Turn what `last_checkpoint` says into a path that can be opened.

    Relative names are relative to the work directory, so that a moved work directory keeps working.
    An absolute path that no longer exists is looked for by its name in the work directory.
    """
    if "://" in recorded:
        return recorded
    path = Path(recorded)
    here = Path(directory) / path
    if not path.is_absolute() and here.exists():
        return str(here)
    if path.exists():
        return str(path)
    moved = Path(directory) / path.name
    return str(moved if moved.exists() else here)


def find_latest_checkpoint(path: str) -> str | None:
    """The newest checkpoint recorded in a work directory.

    Args:
        path: Work directory of a run.

    Returns:
        Path of the checkpoint, or ``None`` when the directory records none.
    """
    record = Path(path) / LAST_CHECKPOINT
    try:
        recorded = record.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        print_log(f"no {LAST_CHECKPOINT} file in {path}", logger="current")
        return None
    return resolve_recorded_path(recorded, path) if recorded else None
