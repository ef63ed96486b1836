"""Which checkpoint of a run is the newest one that can be trusted.

A small text file names the newest; if that is damaged or gone, the others are looked at. A run that
is killed before its first checkpoint must not be continued from what another one left in its place:
a run that begins anew notes which files it finds, each by size and time, so that one that is
replaced later is its own.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mainspring import fileio
from mainspring.checkpoint.seal import verify_file
from mainspring.checkpoint.store import is_local_path
from mainspring.errors import CheckpointError
from mainspring.logging import IN_FILE, print_log, warn
from mainspring.replacing import replacing

__all__ = [
    "LAST_CHECKPOINT",
    "Resumable",
    "begin_anew",
    "find_latest_checkpoint",
    "find_resumable_checkpoint",
    "record_latest_checkpoint",
    "require_whole",
    "resolve_recorded_path",
    "set_aside",
]

LAST_CHECKPOINT = "last_checkpoint"
_NOTE = ".earlier_checkpoints"


def resolve_recorded_path(recorded: str, directory: str | Path) -> str:
    """Turn what `last_checkpoint` says into a path that can be opened.

    Relative names are relative to the work directory, so that a moved work directory keeps working.
    An absolute path that no longer exists is looked for by its name in the work directory.
    """
    if "://" in recorded:
        return recorded
    here = os.path.join(directory, recorded)
    if not os.path.isabs(recorded) and os.path.exists(here):
        return here
    if os.path.exists(recorded):
        return recorded
    moved = os.path.join(directory, os.path.basename(recorded))
    return moved if os.path.exists(moved) else here


def record_latest_checkpoint(path: str, work_dir: str) -> None:
    """Let a work directory name its newest checkpoint.

    Args:
        path: The checkpoint; one inside of the directory is named relative to it.
        work_dir: Work directory of a run.

    Raises:
        OSError: The storage refuses; what was recorded before stays.
    """
    name = path.removeprefix(os.path.join(work_dir, ""))
    record = os.path.join(work_dir, LAST_CHECKPOINT)
    if is_local_path(record):
        with replacing(Path(record)) as file:
            file.write(name.encode())
    else:
        fileio.put_text(name, record)


def find_latest_checkpoint(path: str) -> str | None:
    """The newest checkpoint recorded in a work directory.

    Args:
        path: Work directory of a run.

    Returns:
        Path of the checkpoint, or ``None`` when the directory records none.
    """
    record = Path(path) / LAST_CHECKPOINT
    if not os.path.lexists(record):
        print_log(f"no {LAST_CHECKPOINT} file in {path}", "current", extra=IN_FILE)
        return None
    try:
        if not record.is_file():
            raise ValueError("it is no file")
        with record.open(encoding="utf-8") as file:
            recorded = file.read(_LONGEST_PATH + 1).strip()
        if len(recorded) > _LONGEST_PATH or not recorded.isprintable():
            raise ValueError("it does not hold a path")
    except (OSError, ValueError) as error:
        warn(f"{record} is not used: {error}")
        return None
    return resolve_recorded_path(recorded, path) if recorded else None


_LONGEST_PATH = 4096
_OTHER = re.compile(r"^best_|^\.|-[0-9a-f]{8}\.pth$")
"""Best and published checkpoints hold no state of the optimizer."""


@dataclass(frozen=True, slots=True)
class Resumable:
    """A checkpoint to continue from.

    Attributes:
        path: Where it is.
        reason: Why it was chosen.
    """

    path: str
    reason: str


def find_resumable_checkpoint(work_dir: str) -> Resumable | None:
    """The newest whole checkpoint of a run; those that are damaged are named in warnings.

    Args:
        work_dir: Work directory of the run.

    Returns:
        The checkpoint, or ``None`` when the directory has none that is whole.
    """
    recorded = find_latest_checkpoint(work_dir)
    if recorded is not None and recorded.startswith(("http://", "https://")):
        warn(f"{LAST_CHECKPOINT} in {work_dir} is not used: no run writes to {recorded}")
        recorded = None
    if recorded is not None and not is_local_path(recorded):
        return Resumable(recorded, f"the file {LAST_CHECKPOINT} names it")
    candidates = _newest_first(work_dir, first=recorded)
    others = [path for path in candidates if is_of_earlier_run(path, work_dir)]
    if others:
        warn(
            f"{work_dir} has checkpoints of an earlier run ({_listed(others)}) that are not "
            "used: another run was begun there since; give the path of one to continue that run"
        )
        candidates = [path for path in candidates if path not in others]
    for damaged, path in enumerate(candidates):
        verdict = verify_file(path)
        if verdict.is_valid:
            newest = "the newest" if not damaged else "the newest whole"
            return Resumable(str(path), f"{newest} checkpoint; {verdict.reason}")
        warn(f"{path} is not used: {verdict.reason}")
    return None


def require_whole(path: str) -> None:
    """Refuse a damaged file.

    Args:
        path: Path of a checkpoint; what lies elsewhere, or is not there, is left to the loader.

    Raises:
        CheckpointError: The file is damaged.
    """
    if not is_local_path(path) or not Path(path).is_file():
        return
    verdict = verify_file(path)
    if not verdict.is_valid:
        raise CheckpointError(
            f"{path} is damaged: {verdict.reason}",
            help="resume=True takes the newest checkpoint of the work directory that is whole",
        )


def begin_anew(work_dir: str) -> None:
    """Let a new run have a work directory: what is there already is of earlier ones.

    Args:
        work_dir: Work directory of the run.

    Raises:
        OSError: The storage refuses.
    """
    record = Path(work_dir) / LAST_CHECKPOINT
    recorded = find_latest_checkpoint(work_dir) if os.path.lexists(record) else None
    if recorded is not None and not is_local_path(recorded):
        record.unlink()
    files = _checkpoint_files(work_dir, recorded)
    note_earlier_files(work_dir, files)
    if files:
        warn(
            f"{work_dir} has checkpoints of an earlier run ({_listed(files)}): they are left there "
            "until this run writes files of the same names; resume=True continues this run only"
        )


def _checkpoint_files(work_dir: str, recorded: str | None) -> list[Path]:
    """What may be a checkpoint, in the places where a run has them."""
    folders = [Path(work_dir)]
    elsewhere = folders[0] if recorded is None else Path(recorded).parent
    # The run's `CheckpointHook` may write them to a folder of the same name elsewhere.
    if elsewhere.name == folders[0].name and elsewhere.resolve() != folders[0].resolve():
        folders.append(elsewhere)
    found = [path for folder in folders for path in folder.glob("*.pth")]
    for path in found:
        if path.is_symlink() and not path.exists():
            warn(f"{path} is not used: it is a link to nothing")
    return sorted(path for path in found if path.is_file())


def _listed(files: list[Path]) -> str:
    return ", ".join(path.name for path in files[:3]) + (" ..." if files[3:] else "")


def _newest_first(work_dir: str, first: str | None) -> list[Path]:
    """The ordinary checkpoints of a run; the recorded one comes first."""
    found = [
        path
        for path in _checkpoint_files(work_dir, first)
        if _number(path) is not None and not _OTHER.search(path.name)
    ]
    kinds = {re.sub(r"\d+", "", path.name) for path in found}

    def age(path: Path) -> tuple[int, int]:
        # By the number in the name, since clocks jump; by time where both count different things.
        number, time = _number(path) or 0, path.stat().st_mtime_ns
        return (number, time) if len(kinds) == 1 else (time, number)

    found.sort(key=age, reverse=True)
    if first is None:
        return found
    recorded = Path(first)
    return [recorded, *(path for path in found if path.resolve() != recorded.resolve())]


def _number(path: Path) -> int | None:
    numbers = re.findall(r"\d+", path.stem)
    return int(numbers[-1]) if numbers else None


# Which checkpoints were there before the run that the directory now belongs to


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
