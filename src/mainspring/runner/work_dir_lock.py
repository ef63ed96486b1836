"""One training at a time in a work directory."""

from __future__ import annotations

import errno
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mainspring.errors import ConfigError

__all__ = ["LOCK", "WorkDirInUseError", "note_unwritable", "training_alone_in"]

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)

LOCK = ".training"


class WorkDirInUseError(ConfigError, BlockingIOError):
    """Another process trains in the work directory."""


@contextmanager
def training_alone_in(work_dir: str) -> Iterator[None]:
    """Within the block, no other process may train in a work directory.

    Two trainings in one directory would take each other's checkpoints for their own. The lock
    belongs to the process, so it ends with it, however that ends. Directories on file systems
    without locks are not locked.

    Args:
        work_dir: The directory.

    Raises:
        WorkDirInUseError: Another process trains there.
    """
    path = Path(work_dir) / LOCK
    try:
        file = _locked(path)
    except BlockingIOError:
        raise
    except (ImportError, OSError):
        yield
        return
    with file:
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def note_unwritable(error: BaseException, work_dir: str) -> None:
    """Let an error of the system say what to do where it refuses to write to a work directory.

    Args:
        error: Any error.
        work_dir: The directory.
    """
    if not isinstance(error, OSError):
        return
    if os.path.exists(work_dir) and not os.path.isdir(work_dir):
        error.add_note(f"work_dir {work_dir} is a file: give a folder, or move the file away")
        return
    # Where the system lets nobody make a folder, as in /proc, it finds none.
    is_missing = error.errno == errno.ENOENT and not os.path.exists(work_dir)
    if error.errno not in _REFUSALS and not is_missing:
        return
    # The system names no file when it refuses to write to an open one.
    if error.filename is None or Path(error.filename).is_relative_to(work_dir):
        error.add_note(
            f"work_dir {work_dir} cannot be written to: make space there, ask for the right to "
            "write, or give another work_dir"
        )


def _locked(path: Path) -> IO[str]:
    import fcntl

    while True:
        file = _opened(path)
        try:
            # Of the kinds of lock, this one is not inherited by workers that outlive the process.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                # The lock holds on a full disk, too, where nothing can be said in the file.
                with suppress(OSError):
                    os.ftruncate(file.fileno(), 0)
                    os.write(
                        file.fileno(), f"process {os.getpid()} on {socket.gethostname()}".encode()
                    )
                return file
        except (BlockingIOError, PermissionError):
            file.seek(0)
            raise WorkDirInUseError(
                f"{path.parent} is in use: {file.read() or 'another process'} trains in it",
                config_path="work_dir",
                help="wait until it has ended, or give another work_dir",
            ) from None
        # The file was that of a training that has just ended and removed it.
        file.close()


def _opened(path: Path) -> IO[str]:
    """The file of the lock, which is our own: no link, and no other name of some file."""
    while True:
        with suppress(FileNotFoundError):
            found = path.lstat()
            if not stat.S_ISREG(found.st_mode) or found.st_nlink > 1:
                path.unlink()
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o666)
        except OSError as error:
            if error.errno == errno.ELOOP:
                continue
            raise
        return os.fdopen(descriptor, "a+", encoding="utf-8")
