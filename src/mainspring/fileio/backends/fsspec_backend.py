"""Every storage that fsspec knows: http, s3, gs, az, hdfs, memory, and more."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainspring.fileio.backends.base import BaseStorageBackend, PathLike

__all__ = ["FsspecBackend"]


class FsspecBackend(BaseStorageBackend):
    """Files behind URIs, through fsspec.

    Args:
        protocol: Protocol for paths that name none, such as ``"s3"``.
        **storage_options: Arguments of the file system, such as credentials or an endpoint.
    """

    def __init__(self, protocol: str | None = None, **storage_options: Any) -> None:
        self._protocol = protocol
        self._options = storage_options

    def _open(self, filepath: PathLike) -> tuple[Any, str]:
        import fsspec

        uri = str(filepath)
        if "://" not in uri and self._protocol:
            uri = f"{self._protocol}://{uri}"
        try:
            system, path = fsspec.core.url_to_fs(uri, **self._options)
        except ImportError as error:
            error.add_note(f"reading {uri} needs another package, see the message above")
            raise
        return system, str(path)

    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""
        system, path = self._open(filepath)
        content: bytes = system.cat_file(path)
        return content

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Content of a text file."""
        return self.get(filepath).decode(encoding)

    def put(self, obj: bytes, filepath: PathLike) -> None:
        """Write bytes."""
        system, path = self._open(filepath)
        system.pipe_file(path, obj)

    def put_text(self, obj: str, filepath: PathLike, encoding: str = "utf-8") -> None:
        """Write text."""
        self.put(obj.encode(encoding), filepath)

    def exists(self, filepath: PathLike) -> bool:
        """Whether there is a file or directory."""
        system, path = self._open(filepath)
        return bool(system.exists(path))

    def isdir(self, filepath: PathLike) -> bool:
        """Whether it is a directory."""
        system, path = self._open(filepath)
        return bool(system.isdir(path))

    def isfile(self, filepath: PathLike) -> bool:
        """Whether it is a file."""
        system, path = self._open(filepath)
        return bool(system.isfile(path))

    def join_path(self, filepath: PathLike, *filepaths: PathLike) -> str:
        """Join parts of a path; below a URI, there is no other root."""
        return posixpath.join(str(filepath), *(str(part).lstrip("/") for part in filepaths))

    def copyfile(self, src: PathLike, dst: PathLike) -> str:
        """Copy a file within the storage; returns where it went."""
        target = self.join_path(dst, Path(str(src)).name) if self.isdir(dst) else str(dst)
        self.put(self.get(src), target)
        return target

    def copytree(self, src: PathLike, dst: PathLike) -> str:
        """Copy a directory within the storage; returns where it went."""
        for name in self.list_dir_or_file(src, list_dir=False, recursive=True):
            self.put(self.get(self.join_path(src, name)), self.join_path(dst, name))
        return str(dst)

    def copyfile_from_local(self, src: PathLike, dst: PathLike) -> str:
        """Upload a file; returns where it went."""
        target = self.join_path(dst, Path(src).name) if self.isdir(dst) else str(dst)
        self.put(Path(src).read_bytes(), target)
        return target

    def copytree_from_local(self, src: PathLike, dst: PathLike) -> str:
        """Upload a directory; returns where it went."""
        for file in sorted(Path(src).rglob("*")):
            if file.is_file():
                self.put(file.read_bytes(), self.join_path(dst, file.relative_to(src).as_posix()))
        return str(dst)

    def copyfile_to_local(self, src: PathLike, dst: PathLike) -> str:
        """Download a file; returns where it went."""
        target = Path(dst) / Path(str(src)).name if Path(dst).is_dir() else Path(dst)
        target.write_bytes(self.get(src))
        return str(target)

    def copytree_to_local(self, src: PathLike, dst: PathLike) -> str:
        """Download a directory; returns where it went."""
        for name in self.list_dir_or_file(src, list_dir=False, recursive=True):
            target = Path(dst) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(self.get(self.join_path(src, name)))
        return str(dst)

    def remove(self, filepath: PathLike) -> None:
        """Remove a file."""
        system, path = self._open(filepath)
        system.rm_file(path)

    def rmtree(self, dir_path: PathLike) -> None:
        """Remove a directory and all in it."""
        system, path = self._open(dir_path)
        system.rm(path, recursive=True)

    def copy_if_symlink_fails(self, src: PathLike, dst: PathLike) -> bool:
        """Copy: there are no links; returns ``False``."""
        self.copyfile(src, dst) if self.isfile(src) else self.copytree(src, dst)
        return False

    def generate_presigned_url(
        self, url: str, client_method: str = "get_object", expires_in: int = 3600
    ) -> str:
        """A URL that grants access for a while.

        Args:
            url: URI of the file.
            client_method: What it allows; storages that know no methods ignore it.
            expires_in: Seconds.
        """
        system, path = self._open(url)
        return str(system.sign(path, expiration=expires_in))

    def list_dir_or_file(
        self,
        dir_path: PathLike,
        list_dir: bool = True,
        list_file: bool = True,
        suffix: str | tuple[str, ...] | None = None,
        recursive: bool = False,
    ) -> Iterator[str]:
        """Entries of a directory, relative to it; arguments as in `LocalBackend`."""
        if list_dir and suffix is not None:
            raise TypeError("directories have no suffix: set list_dir=False")
        system, root = self._open(dir_path)

        def entries(folder: str) -> Iterator[str]:
            for entry in system.ls(folder, detail=True):
                full = str(entry["name"]).rstrip("/")
                relative = posixpath.relpath(full, root)
                if entry["type"] == "directory":
                    if list_dir:
                        yield relative
                    if recursive:
                        yield from entries(full)
                elif list_file and (suffix is None or relative.endswith(suffix)):
                    yield relative

        return entries(root)
