"""One training at a time in a work directory."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from mainspring.errors import ConfigError

__all__ = ["WorkDirInUseError", "training_alone_in"]

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


def _locked(path: Path) -> IO[str]:
    import fcntl

    while True:
        file = path.open("a+", encoding="utf-8")
        try:
            # Of the kinds of lock, this one is not inherited by workers that outlive the process.
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if path.exists() and os.path.samestat(os.fstat(file.fileno()), path.stat()):
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}")
                file.flush()
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
