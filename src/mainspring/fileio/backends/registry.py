"""Which backend a path belongs to."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from mainspring.errors import did_you_mean
from mainspring.fileio.backends.base import BaseStorageBackend
from mainspring.fileio.backends.databases import LmdbBackend, MemcachedBackend
from mainspring.fileio.backends.fsspec_backend import FsspecBackend
from mainspring.fileio.backends.http import HTTPBackend
from mainspring.fileio.backends.local import LocalBackend
from mainspring.fileio.backends.petrel import PetrelBackend

__all__ = ["backends", "get_file_backend", "prefix_to_backends", "register_backend"]

BackendClass = type[BaseStorageBackend]

backends: dict[str, BackendClass] = {}
prefix_to_backends: dict[str, BackendClass] = {}
_instances: dict[str, BaseStorageBackend] = {}


def register_backend(
    name: str,
    backend: BackendClass | None = None,
    force: bool = False,
    prefixes: str | Iterable[str] | None = None,
) -> Any:
    """Register a storage backend, directly or as a decorator.

    Args:
        name: Its name, for ``backend_args=dict(backend=name)``.
        backend: The class.
        force: Replace a backend of that name or prefix.
        prefixes: Prefixes of the URIs that it is for, such as ``"s3"``.

    Raises:
        ValueError: The name or a prefix is taken.
        TypeError: The class is no `BaseStorageBackend`.
    """

    def register(backend_class: BackendClass) -> BackendClass:
        if not issubclass(backend_class, BaseStorageBackend):
            raise TypeError(f"{backend_class!r} is no subclass of BaseStorageBackend")
        if name in backends and not force:
            raise ValueError(f"there is a backend {name!r} already; add force=True to replace it")
        taken = [prefixes] if isinstance(prefixes, str) else list(prefixes or [])
        for prefix in taken:
            if prefix in prefix_to_backends and not force:
                raise ValueError(
                    f"prefix {prefix!r} has a backend already; add force=True to replace it"
                )
        backends[name] = backend_class
        prefix_to_backends.update(dict.fromkeys(taken, backend_class))
        return backend_class

    return register if backend is None else register(backend)


def _prefix_of(uri: str | Path) -> str:
    """What stands before ``://``, without a cluster name; empty for local paths."""
    text = str(uri)
    if "://" not in text:
        return ""
    return text.split("://", 1)[0].rpartition(":")[2]


def get_file_backend(
    uri: str | Path | None = None,
    *,
    backend_args: dict[str, Any] | None = None,
    enable_singleton: bool = False,
) -> Any:
    """The backend of a path.

    Args:
        uri: The path; its prefix says the backend, unless `backend_args` names one.
        backend_args: ``backend`` and the arguments of its class.
        enable_singleton: Whether to use one instance for all calls with the same arguments.

    Raises:
        ValueError: There is no such backend, or neither path nor backend is given.
    """
    settings = dict(backend_args or {})
    if uri is None and "backend" not in settings:
        raise ValueError("give a path, or backend_args with 'backend'")
    prefix = _prefix_of(uri) if uri is not None else ""
    key = f"{prefix}:{json.dumps(settings, sort_keys=True, default=repr)}"
    if enable_singleton and key in _instances:
        return _instances[key]
    make: Callable[..., BaseStorageBackend]
    if "backend" in settings:
        name = settings.pop("backend")
        if name not in backends:
            hint = did_you_mean(name, backends) or f"there are {', '.join(backends)}"
            raise ValueError(f"there is no backend {name!r}: {hint}")
        make = backends[name]
    elif prefix in prefix_to_backends:
        make = prefix_to_backends[prefix]
    else:
        make = FsspecBackend
    made = make(**settings)
    if enable_singleton:
        _instances[key] = made
    return made


register_backend("local", LocalBackend, prefixes="")
register_backend("http", HTTPBackend, prefixes=("http", "https"))
register_backend("lmdb", LmdbBackend, prefixes="lmdb")
register_backend("memcached", MemcachedBackend, prefixes="memcached")
register_backend("petrel", PetrelBackend, prefixes=("petrel", "s3"))
register_backend("fsspec", FsspecBackend)
