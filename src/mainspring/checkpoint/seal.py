"""A digest inside of each checkpoint file, so that a torn or altered file is never trusted.

A checkpoint is a zip archive, and a zip archive may end in a comment. The comment holds the XXH3 of
everything before it, so the digest travels with the file, and every reader of zip archives, that of
torch included, still reads it. It finds damage, not forgery: whoever alters a file can renew it.
Files sealed with SHA-256 are verified too.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

import xxhash

from mainspring.checkpoint.safetensors_check import looks_like_safetensors, what_is_wrong

__all__ = ["SealedWriter", "Verdict", "begins_as_torchs", "verify_file"]

_ARCHIVE = b"PK\x03\x04"
_END = b"PK\x05\x06"
_END_SIZE = 22  # the archive's last record, without a comment
_CHUNK = 1 << 20


class _Algorithm(NamedTuple):
    name: str
    make: Callable[[], Any]
    digits: int

    @property
    def prefix(self) -> bytes:
        """What stands before the digest in the comment."""
        return f"mainspring-{self.name}:".encode()


_WRITTEN = _Algorithm("xxh3", xxhash.xxh3_128, 32)
_ALGORITHMS = (_WRITTEN, _Algorithm("sha256", hashlib.sha256, 64))


class SealedWriter:
    """A file to write an archive into; it is hashed on the way, so it is not read again.

    Attributes:
        refusal: The error of the storage, if it refused to take something; torch hides it.

    Args:
        file: An empty file, open for reading and writing bytes.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._hash = _WRITTEN.make()
        self.refusal: OSError | None = None

    def write(self, data: Any) -> int:
        """Write bytes."""
        self._hash.update(data)
        try:
            return self._file.write(data)
        except OSError as error:
            self.refusal = error
            raise

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
        digest: str = self._hash.hexdigest()
        comment = _WRITTEN.prefix + digest.encode()
        self._file.seek(-2, 2)
        self._file.write(len(comment).to_bytes(2, "little") + comment)
        return digest


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is known about a checkpoint file.

    Attributes:
        is_valid: Whether it is whole.
        reason: How that is known, or what is wrong.
        digest: Its algorithm and digest, such as ``"xxh3 0f..."``, if the file holds one.
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
        if not stat.S_ISREG(os.stat(path).st_mode):
            return Verdict(False, "it is no file")
        with open(path, "rb") as file:
            size = file.seek(0, 2)
            if not size:
                return Verdict(False, "the file is empty")
            written = _written_digest(file, size)
            if written is None:
                return _verify_foreign(path, file, size)
            algorithm, digest = written
            found = _digest_of(file, size, algorithm)
    except OSError as error:
        return Verdict(False, f"it cannot be read: {error}")
    text = f"{algorithm.name} {digest}"
    if found != digest:
        return Verdict(False, "its content is not what was written: the digest differs", text)
    return Verdict(True, "its digest is right", text)


def _written_digest(file: IO[bytes], size: int) -> tuple[_Algorithm, str] | None:
    """The algorithm and the digest that a file holds."""
    for algorithm in _ALGORITHMS:
        comment_size = len(algorithm.prefix) + algorithm.digits
        if size < _END_SIZE + comment_size:
            continue
        file.seek(-_END_SIZE - comment_size, 2)
        tail = file.read(_END_SIZE + comment_size)
        said = int.from_bytes(tail[_END_SIZE - 2 : _END_SIZE], "little")
        comment = tail[_END_SIZE:]
        if tail.startswith(_END) and said == comment_size and comment.startswith(algorithm.prefix):
            return algorithm, comment.removeprefix(algorithm.prefix).decode("latin-1")
    return None


def _digest_of(file: IO[bytes], size: int, algorithm: _Algorithm) -> str:
    """The hash of an archive as it was before the comment was added."""
    file.seek(0)
    digest = algorithm.make()
    left = size - len(algorithm.prefix) - algorithm.digits - 2
    while left > 0 and (chunk := file.read(min(_CHUNK, left))):
        digest.update(chunk)
        left -= len(chunk)
    digest.update(b"\0\0")
    return str(digest.hexdigest())


def begins_as_torchs(start: bytes) -> bool:
    """Whether a file is an archive or, as in torch's older format, a pickle, by how it begins.

    Args:
        start: Its first bytes, at least four.
    """
    return start.startswith((_ARCHIVE, b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"))


def _verify_foreign(path: str | Path, file: IO[bytes], size: int) -> Verdict:
    file.seek(0)
    start = file.read(4)
    if not start.startswith(_ARCHIVE):
        if str(path).endswith(".safetensors") or looks_like_safetensors(file, size):
            wrong = what_is_wrong(file, size)
            if wrong is not None:
                return Verdict(False, wrong)
            return Verdict(True, "its sizes are right; the format has no checksums")
        if size > 16 and begins_as_torchs(start):
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
