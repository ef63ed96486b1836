"""One training at a time in a work directory."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mainspring.errors import ConfigError

__all__ = ["WorkDirInUseError", "note_unwritable", "training_alone_in"]

_REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR)

_LOCK = ".training"


class WorkDirInUseError(ConfigError, BlockingIOError):
    """Another process trains in the work directory."""

    __str__ = ConfigError.__str__


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
    path = Path(work_dir) / _LOCK
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
    if not isinstance(error, OSError) or error.errno not in _REFUSALS:
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
        file = path.open("a+", encoding="utf-8")
        try:
            # Of the kinds of lock, this one is not inherited by workers that outlive the process.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                # The lock holds on a full disk, too, where nothing can be said in the file.
                with suppress(OSError):
                    file.truncate(0)
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
