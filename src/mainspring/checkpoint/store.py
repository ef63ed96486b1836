"""Write a checkpoint so that a reader only ever sees a whole file.

The bytes go to a temporary file beside the target, are flushed to the disk, and only then take the
target's name; the directory entry is flushed as well. A crash at any moment leaves either the old
file or the new one, never a mixture and never nothing. The file ends in a digest of itself.
"""

from __future__ import annotations

import io
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import torch

from mainspring import fileio
from mainspring.checkpoint.plain_types import as_plain_types
from mainspring.checkpoint.seal import SealedWriter

__all__ = ["is_local_path", "remove_leftovers", "replacing", "save_checkpoint", "write_sealed"]


def is_local_path(path: str | Path) -> bool:
    """Whether a path lies on this machine's file system rather than behind a URI."""
    return "://" not in str(path)


def save_checkpoint(
    checkpoint: Mapping[str, Any],
    filename: str | Path,
    file_client_args: dict[str, Any] | None = None,
    backend_args: dict[str, Any] | None = None,
) -> None:
    """Write a checkpoint to a file or a storage URI.

    Local files are streamed, so that no second copy of the weights is held in memory.

    Args:
        checkpoint: What to write: tensors, plain types, and numbers and arrays of NumPy.
        filename: Local path, or a URI such as ``s3://bucket/run/epoch_1.pth``.
        file_client_args: MMEngine's older spelling of `backend_args`.
        backend_args: Storage backend and its arguments, see `mainspring.fileio.get_file_backend`.

    Raises:
        CheckpointError: It holds something else, so that it could not be read again.
        ValueError: Both `file_client_args` and `backend_args` are given.
        OSError: The storage refuses; the earlier file of that name, if any, is untouched.
    """
    if file_client_args is not None and backend_args is not None:
        raise ValueError("give either file_client_args or backend_args, not both")
    backend_args = backend_args if backend_args is not None else file_client_args
    if is_local_path(filename) and backend_args is None:
        _write_local(checkpoint, Path(filename))
        return
    buffer = io.BytesIO()
    write_sealed(checkpoint, buffer)
    fileio.put(buffer.getvalue(), str(filename), backend_args=backend_args)


def write_sealed(checkpoint: Mapping[str, Any], file: IO[bytes]) -> str:
    """Write a checkpoint and its digest into an empty file.

    Args:
        checkpoint: What to write.
        file: The file, open for reading and writing.

    Returns:
        The digest, in hexadecimal.

    Raises:
        CheckpointError: It could not be read again.
        OSError: The storage refuses.
    """
    content = as_plain_types(checkpoint)
    writer = SealedWriter(file)
    try:
        torch.save(content, cast("IO[bytes]", writer))
    except RuntimeError:
        if writer.refusal is None:
            raise
        raise writer.refusal from None
    return writer.seal()


def _write_local(checkpoint: Mapping[str, Any], path: Path) -> None:
    with replacing(path) as file:
        write_sealed(checkpoint, file)


@contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to that takes a name when the block ends, whole or not at all.

    Args:
        path: The name; directories are created.

    Raises:
        OSError: The storage refuses; what had the name before is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, temporary = tempfile.mkstemp(
        prefix=f".{path.name}.", suffix=".tmp", dir=path.parent
    )
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_current_umask())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    _flush_directory(path.parent)


def remove_leftovers(directory: str | Path) -> None:
    """Remove what processes that were killed in the middle of writing have left.

    Nobody else may write in the directory meanwhile.

    Args:
        directory: Local directory of checkpoints.
    """
    for pattern in (".*.pth.*.tmp", ".last_checkpoint.*.tmp"):
        for leftover in Path(directory).glob(pattern):
            with suppress(OSError):
                leftover.unlink()


def _current_umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _flush_directory(directory: Path) -> None:
    """Make a rename durable; file systems that cannot flush directories are left alone."""
    try:
        descriptor = os.open(directory, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
