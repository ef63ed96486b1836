"""Lists and dicts from plain text files."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import Any

from mainspring.fileio.io import get_text

__all__ = ["dict_from_file", "list_from_file"]


def _text(path: str | Path, encoding: str, backend_args: Any, file_client_args: Any) -> StringIO:
    if file_client_args is not None and backend_args is not None:
        raise ValueError("give either file_client_args or backend_args, not both")
    chosen = backend_args if backend_args is not None else file_client_args
    return StringIO(get_text(path, encoding, backend_args=chosen))


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
                raise ValueError(f"{filename} has a line without value: {line.rstrip()!r}")
            mapping[key_type(key)] = values[0] if len(values) == 1 else values
    return mapping
