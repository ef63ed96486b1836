"""Files behind http and https, read only."""

from __future__ import annotations

from urllib.error import URLError
from urllib.request import urlopen

from mainspring.fileio.backends.base import BaseStorageBackend, PathLike

__all__ = ["HTTPBackend"]


class HTTPBackend(BaseStorageBackend):
    """Reads over HTTP."""

    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""
        try:
            with urlopen(str(filepath)) as response:
                content: bytes = response.read()
        except URLError as error:
            error.add_note(f"while reading {filepath}")
            raise
        return content

    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Content of a text file."""
        return self.get(filepath).decode(encoding)
