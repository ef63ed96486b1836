"""Storage backends."""

from mainspring.fileio.backends.base import BaseStorageBackend
from mainspring.fileio.backends.databases import LmdbBackend, MemcachedBackend
from mainspring.fileio.backends.fsspec_backend import FsspecBackend
from mainspring.fileio.backends.http import HTTPBackend
from mainspring.fileio.backends.local import LocalBackend
from mainspring.fileio.backends.petrel import PetrelBackend
from mainspring.fileio.backends.registry import backends, prefix_to_backends, register_backend

__all__ = [
    "BaseStorageBackend",
    "FsspecBackend",
    "HTTPBackend",
    "LmdbBackend",
    "LocalBackend",
    "MemcachedBackend",
    "PetrelBackend",
    "backends",
    "prefix_to_backends",
    "register_backend",
]
