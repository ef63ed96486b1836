"""Write a checkpoint so that a reader only ever sees a whole file.

The bytes go to a temporary file beside the target, are flushed to the disk, and only then take the
target's name; the directory entry is flushed as well. A crash at any moment leaves either the old
file or the new one, never a mixture and never nothing. The file ends in a digest of itself.
"""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import torch

from mainspring import fileio
from mainspring.checkpoint.plain_types import as_plain_types
from mainspring.checkpoint.seal import SealedWriter
from mainspring.errors import ConfigError
from mainspring.logging import warn
from mainspring.replacing import UNFINISHED, replacing

__all__ = ["chosen_backend", "is_local_path", "remove_leftovers", "save_checkpoint", "write_sealed"]


def is_local_path(path: str | Path) -> bool:
    """Whether a path lies on this machine's file system rather than behind a URI."""
    return "://" not in str(path)


def chosen_backend(
    file_client_args: dict[str, Any] | None, backend_args: dict[str, Any] | None
) -> dict[str, Any] | None:
    """A storage backend and its arguments, under whichever name they were given.

    Args:
        file_client_args: The older name, which is said to be so.
        backend_args: The name of today.

    Raises:
        ConfigError: Both are given.
    """
    if file_client_args is None:
        return backend_args
    if backend_args is not None:
        raise ConfigError("give either file_client_args or backend_args, not both")
    warn("file_client_args is the older name of backend_args: use that one")
    return file_client_args


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
        ConfigError: Both `file_client_args` and `backend_args` are given.
        OSError: The storage refuses; the earlier file of that name, if any, is untouched.
    """
    backend_args = chosen_backend(file_client_args, backend_args)
    if is_local_path(filename) and backend_args is None:
        with replacing(Path(filename)) as file:
            write_sealed(checkpoint, file)
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


def remove_leftovers(directory: str | Path, older_than: float = 0) -> None:
    """Remove what processes that were killed in the middle of writing have left.

    Args:
        directory: Local directory, of a run or of checkpoints.
        older_than: Seconds that a file must not have been written to, where others may be writing.
    """
    for leftover in Path(directory).glob(UNFINISHED):
        with suppress(OSError):
            if not older_than or time.time() - leftover.stat().st_mtime > older_than:
                leftover.unlink()
