"""Files and directories of the local machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

__all__ = [
    "check_file_exist",
    "find_vcs_root",
    "fopen",
    "is_abs",
    "is_filepath",
    "mkdir_or_exist",
    "scandir",
    "symlink",
]

_REMOTE_PREFIXES = ("http://", "https://", "s3://")


def is_filepath(x: object) -> bool:
    """Whether ``x`` has the type of a path: a string or a `pathlib.Path`."""
    return isinstance(x, str | Path)


def fopen(filepath: str | Path, *args: Any, **kwargs: Any) -> IO[Any]:
    """Open a file as `open` does.

    Args:
        filepath: Path of the file.
        *args: Arguments of `open` after the path.
        **kwargs: Keyword arguments of `open`.

    Raises:
        ValueError: If ``filepath`` is neither a string nor a path.
    """
    if not is_filepath(filepath):
        raise ValueError(f"`filepath` should be a string or a Path, but is {filepath!r}")
    opened: IO[Any] = open(filepath, *args, **kwargs)  # noqa: SIM115 - handed to the caller
    return opened


def check_file_exist(filename: str | Path, msg_tmpl: str = 'file "{}" does not exist') -> None:
    """Raise `FileNotFoundError` unless the file exists.

    Args:
        filename: Path of the file.
        msg_tmpl: Text of the error, with a place for the path.
    """
    if not os.path.isfile(filename):
        raise FileNotFoundError(msg_tmpl.format(filename))


def mkdir_or_exist(dir_name: str | Path, mode: int = 0o777) -> None:
    """Make a directory and those around it unless they exist.

    Args:
        dir_name: Path, in which ``~`` is the home directory; nothing is done for ``''``.
        mode: Permissions of a new directory.
    """
    if dir_name == "":
        return
    os.makedirs(os.path.expanduser(dir_name), mode=mode, exist_ok=True)


def symlink(
    src: str | Path,
    dst: str | Path,
    overwrite: bool = True,
    *,
    target_is_directory: bool = False,
    dir_fd: int | None = None,
) -> None:
    """Make a symbolic link.

    Args:
        src: What the link points to.
        dst: Path of the link.
        overwrite: Whether to replace what is at ``dst``.
        target_is_directory: As in `os.symlink`.
        dir_fd: As in `os.symlink`.
    """
    if overwrite and os.path.lexists(dst):
        os.remove(dst)
    os.symlink(src, dst, target_is_directory, dir_fd=dir_fd)


def scandir(
    dir_path: str | Path,
    suffix: str | tuple[str, ...] | None = None,
    recursive: bool = False,
    case_sensitive: bool = True,
) -> Iterator[str]:
    """The files of a directory, hidden ones left out.

    Args:
        dir_path: Path of the directory.
        suffix: End, or ends, of the wanted names; all files by default.
        recursive: Whether to look into the directories below, too.
        case_sensitive: Whether case counts in comparing the suffix.

    Returns:
        Paths relative to the directory, in the order of the file system.

    Raises:
        TypeError: If the path or the suffix has a wrong type.
    """
    if not is_filepath(dir_path):
        raise TypeError(f'"dir_path" must be a string or Path object, but is {dir_path!r}')
    if suffix is not None and not isinstance(suffix, str | tuple):
        raise TypeError(f'"suffix" must be a string or tuple of strings, but is {suffix!r}')
    from mainspring.fileio import LocalBackend

    files = LocalBackend().list_dir_or_file(dir_path, list_dir=False, recursive=recursive)
    if suffix is None:
        return files
    if case_sensitive:
        return (name for name in files if name.endswith(suffix))
    ends = tuple(end.lower() for end in ([suffix] if isinstance(suffix, str) else suffix))
    return (name for name in files if name.lower().endswith(ends))


def find_vcs_root(path: str | Path, markers: tuple[str, ...] = (".git",)) -> str | None:
    """The nearest directory at or above a path that holds one of the markers.

    Args:
        path: A file or directory.
        markers: Names to look for.
    """
    start = Path(path).expanduser().absolute()
    for directory in [start, *start.parents]:
        if any((directory / marker).exists() for marker in markers):
            return str(directory)
    return None


def is_abs(path: str) -> bool:
    """Whether a path is absolute on the disk, or an address (``http``, ``https``, ``s3``)."""
    return os.path.isabs(path) or path.startswith(_REMOTE_PREFIXES)
