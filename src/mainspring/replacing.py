"""Write a file so that a reader only ever sees a whole one."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

__all__ = ["UNFINISHED", "replacing"]

UNFINISHED = f".*.{'?' * 8}.tmp"
"""Pattern of the names that files have until they are whole; a killed process leaves one."""

_NOT_OFFERED = (errno.EPERM, errno.EACCES, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.ENOTTY)
"""What file systems say that have no modes of files, or cannot flush one: many in user space."""


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes a name when the block ends, whole or not at all.

    Args:
        path: The name; directories are created. A file of that name keeps its mode.

    Raises:
        OSError: The storage refuses; what had the name before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o666 & ~_umask()
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            with _unless_not_offered():
                os.fsync(file.fileno())
        with _unless_not_offered():
            os.chmod(temporary, mode)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_directory(path.parent)


@contextmanager
def _unless_not_offered() -> Iterator[None]:
    """Do without what the file system does not offer."""
    try:
        yield
    except OSError as error:
        if error.errno not in _NOT_OFFERED:
            raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_directory(directory: Path) -> None:
    """Make a rename durable; file systems that cannot flush directories are left alone."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
