"""Files behind http and https, read only."""

from __future__ import annotations

from urllib.request import urlopen

from mainspring.fileio.backends.base import BaseStorageBackend, PathLike

__all__ = ["HTTPBackend"]


class HTTPBackend(BaseStorageBackend):
    """Reads over HTTP."""

    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""
        with urlopen(str(filepath)) as response:
            content: bytes = response.read()
        return content

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Content of a text file."""
        return self.get(filepath).decode(encoding)
