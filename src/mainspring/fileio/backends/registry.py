"""Which backend a path belongs to."""

from __future__ import annotations

import inspect
from typing import Any

from mainspring.errors import ArgumentTypeError
from mainspring.fileio.backends.base import BaseStorageBackend
from mainspring.fileio.backends.databases import LmdbBackend, MemcachedBackend
from mainspring.fileio.backends.fsspec_backend import FsspecBackend
from mainspring.fileio.backends.http import HTTPBackend
from mainspring.fileio.backends.local import LocalBackend
from mainspring.fileio.backends.petrel import PetrelBackend
from mainspring.registry.run_again import is_made_again

__all__ = ["backends", "prefix_to_backends", "register_backend"]

BackendClass = type[BaseStorageBackend]

backends: dict[str, BackendClass] = {}
prefix_to_backends: dict[str, BackendClass] = {}
client_backends: dict[str, BackendClass] = {}
client_prefixes: dict[str, BackendClass] = {}
"""Those that only `FileClient` was told of."""

Prefixes = str | list[str] | tuple[str, ...] | None


def checked_prefixes(name: str, backend: Any, prefixes: Prefixes) -> list[str]:
    """The prefixes of a backend that is to be registered, all of which is checked.

    Raises:
        TypeError: The class is no `BaseStorageBackend`, the name no str, or `prefixes` neither str
            nor a list or tuple.
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a backend is a str, not {name!r}")
    if not inspect.isclass(backend) or not issubclass(backend, BaseStorageBackend):
        raise TypeError(f"{backend!r} is no subclass of BaseStorageBackend")
    if not isinstance(prefixes, str | list | tuple | None):
        raise ArgumentTypeError(f"prefixes are a str or a list of them, not {prefixes!r}")
    return [prefixes] if isinstance(prefixes, str) else list(prefixes or ())


def register_backend(
    name: str, backend: BackendClass | None = None, force: bool = False, prefixes: Prefixes = None
) -> Any:
    """Register a storage backend, directly or as a decorator.

    Args:
        name: Its name, for ``backend_args=dict(backend=name)``.
        backend: The class.
        force: Replace a backend of that name or prefix.
        prefixes: Prefixes of the URIs that it is for, such as ``"s3"``.

    Raises:
        ValueError: The name or a prefix is taken.
        TypeError: As `checked_prefixes`.
    """

    def register(backend_class: BackendClass) -> BackendClass:
        taken = checked_prefixes(name, backend_class, prefixes)
        if not (force or is_made_again(backends.get(name), backend_class)):
            said = "{} already; add force=True to replace it"
            if name in backends:
                raise ValueError(said.format(f"there is a backend {name!r}"))
            for prefix in prefix_to_backends.keys() & taken:
                raise ValueError(said.format(f"prefix {prefix!r} has a backend"))
        backends[name] = backend_class
        prefix_to_backends.update(dict.fromkeys(taken, backend_class))
        return backend_class

    return register if backend is None else register(backend)


register_backend("local", LocalBackend, prefixes="")
register_backend("http", HTTPBackend, prefixes=("http", "https"))
register_backend("lmdb", LmdbBackend, prefixes="lmdb")
register_backend("memcached", MemcachedBackend, prefixes="memcached")
register_backend("petrel", PetrelBackend, prefixes=("petrel", "s3"))
register_backend("fsspec", FsspecBackend)
