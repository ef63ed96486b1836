"""The older way to reach files, kept for what is written against it."""

from __future__ import annotations

import functools
import logging
from collections import ChainMap
from contextlib import AbstractContextManager
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar, Self

from mainspring.errors import ArgumentValueError, did_you_mean
from mainspring.fileio.backends import (
    BaseStorageBackend,
    FsspecBackend,
    HTTPBackend,
    LmdbBackend,
    LocalBackend,
    MemcachedBackend,
    PetrelBackend,
    backends,
    prefix_to_backends,
    register_backend,
)
from mainspring.fileio.backends.registry import checked_prefixes, client_backends, client_prefixes
from mainspring.fileio.io import _parse_uri_prefix

__all__ = ["FileClient", "HardDiskBackend"]


@functools.cache
def _say_once(message: str) -> None:
    logging.getLogger(__name__).info(message)


class HardDiskBackend(LocalBackend):
    """Another name of `LocalBackend`."""

    @property
    def name(self) -> str:
        """Class name of the backend."""
        return type(self).__name__


register_backend("disk", HardDiskBackend)
client_backends.update(
    disk=HardDiskBackend,
    memcached=MemcachedBackend,
    lmdb=LmdbBackend,
    petrel=PetrelBackend,
    http=HTTPBackend,
)
client_prefixes.update(s3=PetrelBackend, petrel=PetrelBackend, http=HTTPBackend, https=HTTPBackend)


class FileClient:
    """Reaches files through a backend; new code calls the functions of `mainspring.fileio`.

    The same arguments give the same client.

    Args:
        backend: Name of the backend; the local file system by default.
        prefix: Prefix of URIs that names the backend instead.
        **kwargs: Arguments of the backend.

    Raises:
        ValueError: There is no such backend.
    """

    # What is registered here is found by paths' backend_args as well, but takes no name from them.
    _backends: ClassVar = ChainMap(client_backends, backends)
    _prefix_to_backends: ClassVar = ChainMap(client_prefixes, prefix_to_backends)
    _instances: ClassVar[dict[str, Any]] = {}
    client: BaseStorageBackend

    def __new__(cls, backend: str | None = None, prefix: str | None = None, **kwargs: Any) -> Self:
        """A client, or the one with the same arguments."""
        _say_once("FileClient is the older way to reach files: mainspring.fileio has functions")
        if backend is None and prefix is None:
            backend = "disk"
        import fsspec

        key = ":".join(f"{word}" for word in (backend, prefix, *chain(*kwargs.items())))
        if key not in cls._instances:
            if backend is not None and backend not in cls._backends:
                known = ", ".join(cls._backends)
                hint = did_you_mean(backend, cls._backends) or f"there are {known}"
                raise ValueError(f"there is no backend {backend!r}: {hint}")
            made = super().__new__(cls)
            by_prefix = cls._prefix_to_backends.get(prefix or "", FsspecBackend)
            if by_prefix is FsspecBackend and prefix not in fsspec.available_protocols():
                raise ValueError(f"no backend is for {prefix}:// paths")
            made.client = (cls._backends[backend] if backend else by_prefix)(**kwargs)
            cls._instances[key] = made
        client: Self = cls._instances[key]
        return client

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
        return _parse_uri_prefix(uri) or None

    @classmethod
    def infer_client(
        cls, file_client_args: dict[str, Any] | None = None, uri: str | Path | None = None
    ) -> FileClient:
        """A client from its arguments, or for a path."""
        if file_client_args is not None:
            return cls(**file_client_args)
        if uri is None:
            raise ArgumentValueError("give file_client_args or a path")
        return cls(prefix=cls.parse_uri_prefix(uri))

    @classmethod
    def register_backend(
        cls,
        name: str,
        backend: type[BaseStorageBackend] | None = None,
        force: bool = False,
        prefixes: str | list[str] | tuple[str, ...] | None = None,
    ) -> Any:
        """Register a backend for clients, directly or as a decorator.

        Args:
            name: Its name.
            backend: The class.
            force: Replace a backend of that name or prefix, and the clients that have it.
            prefixes: Prefixes of the URIs that it is for.

        Raises:
            KeyError: The name or a prefix is taken.
            TypeError: The class is no `BaseStorageBackend`, or the name no str.
        """

        def register(backend_class: type[BaseStorageBackend]) -> type[BaseStorageBackend]:
            taken = checked_prefixes(name, backend_class, prefixes)
            tables = [(cls._backends, [name]), (cls._prefix_to_backends, taken)]
            for table, names in tables:
                for known in set(names) & set(table.maps[0]):
                    if not force:
                        raise KeyError(f"{known!r} has a backend already; add force=True")
                    for key, client in list(cls._instances.items()):
                        if isinstance(client.client, table[known]):
                            del cls._instances[key]
            for table, names in tables:
                table.update(dict.fromkeys(names, backend_class))
            return backend_class

        return register if backend is None else register(backend)

    def get_local_path(self, filepath: str | Path) -> AbstractContextManager[str | Path]:
        """A local copy of a file, for a ``with`` block; a local file's own path as str."""
        return self.client.get_local_path(str(filepath))

    def __getattr__(self, name: str) -> Any:
        if name == "client" or name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.client, name)
