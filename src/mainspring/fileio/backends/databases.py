"""Key-value stores that hold files: LMDB and memcached."""

from __future__ import annotations

import sys
from typing import Any

from mainspring.fileio.backends.base import BaseStorageBackend, PathLike
from mainspring.names.packages import import_optional

__all__ = ["LmdbBackend", "MemcachedBackend"]


class LmdbBackend(BaseStorageBackend):
    """Reads from an LMDB database; keys are paths.

    Args:
        db_path: The database.
        readonly: Whether to open it for reading only.
        lock: Whether to lock it.
        readahead: Whether the system may read ahead.
        **kwargs: Further arguments of ``lmdb.open``.

    Raises:
        ImportError: lmdb is not installed.
    """

    def __init__(
        self,
        db_path: PathLike,
        readonly: bool = True,
        lock: bool = False,
        readahead: bool = False,
        **kwargs: Any,
    ) -> None:
        import_optional("lmdb", "LmdbBackend")
        self.db_path = str(db_path)
        self.kwargs = {"readonly": readonly, "lock": lock, "readahead": readahead, **kwargs}
        self._client: Any = None  # opened where it is read, as workers may not share one

    def get(self, filepath: PathLike) -> bytes:
        """Value of a key."""
        if self._client is None:
            self._client = import_optional("lmdb", "LmdbBackend").open(self.db_path, **self.kwargs)
        with self._client.begin(write=False) as transaction:
            value = transaction.get(str(filepath).encode("ascii"))
        if value is None:
            raise FileNotFoundError(f"{self.db_path} has no key {str(filepath)!r}")
        return bytes(value)

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Values are bytes, which say no encoding: `get` gives them."""
        raise NotImplementedError("LMDB holds bytes: decode what get() gives")


class MemcachedBackend(BaseStorageBackend):
    """Reads through a memcached cluster.

    Args:
        server_list_cfg: File that lists the servers.
        client_cfg: File that configures the client.
        sys_path: Put before Python's search path, for the client package.

    Raises:
        ImportError: The client package is not installed.
    """

    def __init__(self, server_list_cfg: str, client_cfg: str, sys_path: str | None = None) -> None:
        if sys_path is not None:
            sys.path.append(sys_path)
        try:
            import mc
        except ImportError as error:
            error.add_note("MemcachedBackend needs the client package 'mc' of your cluster")
            raise
        self._mc = mc
        self._client = mc.MemcachedClient.GetInstance(server_list_cfg, client_cfg)
        self._buffer = mc.pyvector()

    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""
        self._client.Get(str(filepath), self._buffer)
        return bytes(self._mc.ConvertBuffer(self._buffer))

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """The cluster holds bytes, which say no encoding: `get` gives them."""
        raise NotImplementedError("memcached holds bytes: decode what get() gives")
