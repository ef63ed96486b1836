"""A digest inside of each checkpoint file, so that a torn or altered file is never trusted.

A checkpoint is a zip archive, and a zip archive may end in a comment. The comment holds the SHA-256
of everything before it, so the digest travels with the file, and every reader of zip archives, that
of torch included, still reads it.
"""

from __future__ import annotations

import hashlib
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Protocol

from mainspring.checkpoint.safetensors_check import looks_like_safetensors, what_is_wrong

__all__ = ["SealedWriter", "Verdict", "verify_file"]

_END = b"PK\x05\x06"
_END_SIZE = 22  # the archive's last record, without a comment
_PREFIX = b"mainspring-sha256:"
_COMMENT_SIZE = len(_PREFIX) + 64
_CHUNK = 1 << 20


class _Hash(Protocol):
    def update(self, data: Any, /) -> None: ...
    def hexdigest(self) -> str: ...


class SealedWriter:
    """A file to write an archive into; it is hashed on the way, so it is not read again.

    Attributes:
        refusal: The error of the storage, if it refused to take something; torch hides it.

    Args:
        file: An empty file, open for reading and writing bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash: _Hash = hashlib.sha256()
        self.refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes; a large piece is hashed while it is written."""
        with self._hashing(data):
            try:
                return self._file.write(data)
            except OSError as error:
                self.refusal = error
                raise

    @contextmanager
    def _hashing(self, data: Any) -> Iterator[None]:
        thread = None
        if len(data) >= _CHUNK:
            thread = threading.Thread(target=self._hash.update, args=(data,), name="digest")
            try:
                thread.start()
            except RuntimeError:
                thread = None  # the interpreter ends, and starts no more threads
        if thread is None:
            self._hash.update(data)
        try:
            yield
        finally:
            if thread is not None:
                # The piece is only lent until it is written.
                thread.join()

    def flush(self) -> None:
        """Hand what is written to the operating system."""
        self._file.flush()

    def seal(self) -> str:
        """End the archive with its digest.

        Returns:
            The digest, in hexadecimal.

        Raises:
            ValueError: What was written is no zip archive.
        """
        self._file.seek(-_END_SIZE, 2)
        end = self._file.read(_END_SIZE)
        if not end.startswith(_END) or end[-2:] != b"\0\0":
            raise ValueError("only a zip archive without a comment can be sealed")
        digest = self._hash.hexdigest()
        self._file.seek(-2, 2)
        self._file.write(_COMMENT_SIZE.to_bytes(2, "little") + _PREFIX + digest.encode())
        return digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about a checkpoint file.

    Attributes:
        is_valid: Whether it is whole.
        reason: How that is known, or what is wrong.
        digest: Its SHA-256, if the file holds one.
    """

    is_valid: bool
    reason: str
    digest: str | None = None


def verify_file(path: str | Path) -> Verdict:
    """Whether a checkpoint file is whole.

    Files of mainspring are compared with their digest, those of others with the checksums of their
    archive, safetensors files, which have none, with the sizes in their header. Nothing is loaded.

    Args:
        path: Local path.
    """
    try:
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if not size:
                return Verdict(False, "the file is empty")
            written = _written_digest(file, size)
            if written is None:
                return _verify_foreign(path, file, size)
            found = _digest_of(file, size - _COMMENT_SIZE)
    except OSError as error:
        return Verdict(False, f"it cannot be read: {error}")
    if found != written:
        return Verdict(False, "its content is not what was written: the digest differs", written)
    return Verdict(True, "its digest is right", written)


def _written_digest(file: IO[bytes], size: int) -> str | None:
    tail_size = _END_SIZE + _COMMENT_SIZE
    if size < tail_size:
        return None
    file.seek(-tail_size, 2)
    tail = file.read(tail_size)
    comment = tail[_END_SIZE:]
    is_ours = (
        tail.startswith(_END)
        and int.from_bytes(tail[_END_SIZE - 2 : _END_SIZE], "little") == _COMMENT_SIZE
        and comment.startswith(_PREFIX)
    )
    return comment[len(_PREFIX) :].decode("latin-1") if is_ours else None


def _digest_of(file: IO[bytes], size: int) -> str:
    """The hash of an archive as it was before the comment was added."""
    file.seek(0)
    digest = hashlib.sha256()
    left = size - 2
    while left > 0:
        chunk = file.read(min(_CHUNK, left))
        if not chunk:
            break
        digest.update(chunk)
        left -= len(chunk)
    digest.update(b"\0\0")
    return digest.hexdigest()


def _verify_foreign(path: str | Path, file: IO[bytes], size: int) -> Verdict:
    file.seek(0)
    if file.read(4) != b"PK\x03\x04":
        if str(path).endswith(".safetensors") or looks_like_safetensors(file, size):
            wrong = what_is_wrong(file, size)
            if wrong is not None:
                return Verdict(False, wrong)
            return Verdict(True, "its sizes are right; the format has no checksums")
        if size > 16 and _looks_like_pickle(file):
            return Verdict(True, "it is of torch's older format, which has no checksums")
        return Verdict(False, "it is no checkpoint: its beginning is damaged or foreign")
    file.seek(-min(size, _END_SIZE), 2)
    end = file.read(_END_SIZE)
    if not end.startswith(_END) or end[-2:] != b"\0\0":
        return Verdict(False, "its end is missing or damaged: the file was cut off or altered")
    try:
        with zipfile.ZipFile(path) as archive:
            broken = archive.testzip()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, RuntimeError) as error:
        return Verdict(False, f"its archive is damaged: {error}")
    if broken is not None:
        return Verdict(False, f"its entry {broken} is damaged")
    return Verdict(True, "it has no digest; the checksums of its archive are right")


def _looks_like_pickle(file: IO[bytes]) -> bool:
    file.seek(0)
    start = file.read(2)
    return start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05")
