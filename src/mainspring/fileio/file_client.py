"""The older way to reach files, kept for what is written against it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from mainspring.fileio.backends import LocalBackend, get_file_backend, register_backend
from mainspring.fileio.backends.base import BaseStorageBackend
from mainspring.fileio.backends.registry import _prefix_of

__all__ = ["FileClient", "HardDiskBackend"]

_said: set[str] = set()


def _say_once(message: str) -> None:
    if message not in _said:
        _said.add(message)
        logging.getLogger(__name__).info(message)


class HardDiskBackend(LocalBackend):
    """Another name of `LocalBackend`."""

    @property
    def name(self) -> str:
        """Class name of the backend."""
        return type(self).__name__


register_backend("disk", HardDiskBackend)


class FileClient:
    """Reaches files through a backend; new code calls the functions of `mainspring.fileio`.

    Args:
        backend: Name of the backend; the local file system by default.
        prefix: Prefix of URIs that names the backend instead.
        **kwargs: Arguments of the backend.
    """

    client: BaseStorageBackend

    def __init__(
        self, backend: str | None = None, prefix: str | None = None, **kwargs: Any
    ) -> None:
        _say_once("FileClient is the older way to reach files: mainspring.fileio has functions")
        if backend is None and prefix is None:
            backend = "disk"
        if backend is not None:
            self.client = get_file_backend(backend_args={"backend": backend, **kwargs})
        else:
            self.client = get_file_backend(f"{prefix}://", backend_args=kwargs)

    @property
    def name(self) -> str:
        """Class name of the backend."""
        return self.client.name

    @property
    def allow_symlink(self) -> bool:
        """Whether links can be made."""
        return self.client.allow_symlink

    @staticmethod
    def parse_uri_prefix(uri: str | Path) -> str | None:
        """Prefix of a URI; ``None`` for a local path."""
        return _prefix_of(uri) or None

    @classmethod
    def infer_client(
        cls, file_client_args: dict[str, Any] | None = None, uri: str | Path | None = None
    ) -> FileClient:
        """A client from its arguments, or for a path."""
        if file_client_args is not None:
            return cls(**file_client_args)
        if uri is None:
            raise ValueError("give file_client_args or a path")
        return cls(prefix=cls.parse_uri_prefix(uri))

    @classmethod
    def register_backend(
        cls,
        name: str,
        backend: type[BaseStorageBackend] | None = None,
        force: bool = False,
        prefixes: str | list[str] | tuple[str, ...] | None = None,
    ) -> Any:
        """Register a backend; see `mainspring.fileio.register_backend`."""
        return register_backend(name, backend, force, prefixes)

    def __getattr__(self, name: str) -> Any:
        if name == "client" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.client, name)
