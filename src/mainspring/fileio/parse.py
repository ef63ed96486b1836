"""Lists and dicts from plain text files."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from mainspring.errors import ArgumentValueError
from mainspring.fileio.io import _one_of, get_text

__all__ = ["dict_from_file", "list_from_file"]


def _text(path: str | Path, encoding: str, backend_args: Any, file_client_args: Any) -> StringIO:
    return StringIO(get_text(path, encoding, _one_of(file_client_args, backend_args)))


def list_from_file(
    filename: str | Path,
    prefix: str = "",
    offset: int = 0,
    max_num: int = 0,
    encoding: str = "utf-8",
    file_client_args: dict[str, Any] | None = None,
    backend_args: dict[str, Any] | None = None,
) -> list[str]:
    """The lines of a text file.

    Args:
        filename: Path or URI.
        prefix: Put before each line.
        offset: Lines to leave out at the start.
        max_num: Most lines to give; 0 for all.
        encoding: Encoding of the file.
        file_client_args: MMEngine's older spelling of `backend_args`.
        backend_args: Storage backend and its arguments.
    """
    with _text(filename, encoding, backend_args, file_client_args) as file:
        lines = [line.rstrip("\n\r") for line in file]
    end = offset + max_num if max_num > 0 else None
    return [prefix + line for line in lines[offset:end]]


def dict_from_file(
    filename: str | Path,
    key_type: Callable[[str], Any] = str,
    encoding: str = "utf-8",
    file_client_args: dict[str, Any] | None = None,
    backend_args: dict[str, Any] | None = None,
) -> dict[Any, str | list[str]]:
    """A dict from lines of a key and one or several values, separated by blanks.

    Args:
        filename: Path or URI.
        key_type: Makes the keys.
        encoding: Encoding of the file.
        file_client_args: MMEngine's older spelling of `backend_args`.
        backend_args: Storage backend and its arguments.
    """
    mapping: dict[Any, str | list[str]] = {}
    with _text(filename, encoding, backend_args, file_client_args) as file:
        for line in file:
            key, *values = line.rstrip("\n").split(" ")
            if not values:
                raise ArgumentValueError(f"{filename} has a line without value: {line.rstrip()!r}")
            mapping[key_type(key)] = values[0] if len(values) == 1 else values
    return mapping
