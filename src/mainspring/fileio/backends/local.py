"""The local file system; writing is atomic."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mainspring.fileio.backends.base import BaseStorageBackend, PathLike
from mainspring.replacing import replacing

__all__ = ["LocalBackend"]


class LocalBackend(BaseStorageBackend):
    """The local file system.

    Files are written beside their target, flushed and renamed: a reader sees the old content or the
    new one.
    """

    _allow_symlink = True

    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""
        return Path(filepath).read_bytes()

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Content of a text file."""
        return Path(filepath).read_text(encoding=encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes; missing directories are made."""
        with replacing(Path(filepath)) as file:
            file.write(obj)

    def put_text(self, obj: str, filepath: PathLike, encoding: str = "utf-8") -> None:
        """Write text; missing directories are made."""
        self.put(obj.encode(encoding), filepath)

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or directory."""
        return os.path.exists(filepath)

    def isdir(self, filepath: PathLike) -> bool:
        """Whether it is a directory."""
        return os.path.isdir(filepath)

    def isfile(self, filepath: PathLike) -> bool:
        """Whether it is a file."""
        return os.path.isfile(filepath)

    def join_path(self, filepath: PathLike, *filepaths: PathLike) -> str:
        """Join parts of a path."""
        return os.path.join(filepath, *filepaths)

    @contextmanager
    def get_local_path(self, filepath: PathLike) -> Iterator[PathLike]:
        """The file itself: it is local."""
        yield filepath

    def copyfile(self, src: PathLike, dst: PathLike) -> PathLike:
        """Copy a file; returns where it went, of the kind that `dst` is."""
        return shutil.copy(src, dst)

    def copytree(self, src: PathLike, dst: PathLike) -> PathLike:
        """Copy a directory to one that does not exist; returns where it went."""
        return shutil.copytree(src, dst)

    copyfile_from_local = copyfile_to_local = copyfile
    copytree_from_local = copytree_to_local = copytree

    def remove(self, filepath: PathLike) -> None:
        """Remove a file.

        Raises:
            FileNotFoundError: There is none.
            IsADirectoryError: It is a directory.
        """
        if os.path.isdir(filepath):
            raise IsADirectoryError(f"{filepath} is a directory: use rmtree")
        os.remove(filepath)

    def rmtree(self, dir_path: PathLike) -> None:
        """Remove a directory and all in it."""
        shutil.rmtree(dir_path)

    def copy_if_symlink_fails(self, src: PathLike, dst: PathLike) -> bool:
        """Make a link, or a copy where links cannot be made; returns whether it is a link."""
        try:
            os.symlink(src, dst)
            return True
        except Exception:  # noqa: BLE001 - whatever the reason, a copy was asked for then
            if os.path.isfile(src):
                self.copyfile(src, dst)
            else:
                self.copytree(src, dst)
            return False

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Entries of a directory, relative to it; hidden files are left out.

        Args:
            dir_path: The directory.
            list_dir: Whether to give directories.
            list_file: Whether to give files.
            suffix: Endings that files must have.
            recursive: Whether to go into directories.

        Raises:
            TypeError: Directories cannot be listed by suffix.
        """
        if list_dir and suffix is not None:
            raise TypeError("directories have no suffix: set list_dir=False")
        if suffix is not None and not isinstance(suffix, str | tuple):
            raise TypeError(f"suffix is a str or a tuple, not {type(suffix).__name__}")
        root = os.fspath(dir_path)

        def entries(folder: str) -> Iterator[str]:
            for entry in os.scandir(folder):
                relative = os.path.relpath(entry.path, root)
                if not entry.name.startswith(".") and entry.is_file():
                    if list_file and (suffix is None or relative.endswith(suffix)):
                        yield relative
                elif entry.is_dir():
                    if list_dir:
                        yield relative
                    if recursive:
                        yield from entries(entry.path)

        return entries(root)
