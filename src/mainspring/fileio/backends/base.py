"""What every storage backend offers."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile

__all__ = ["BaseStorageBackend"]

PathLike = str | Path


class BaseStorageBackend(metaclass=ABCMeta):
    """Base of storage backends; reading is required, the rest is offered where it makes sense."""

    _allow_symlink = False

    @property
    def allow_symlink(self) -> bool:
        """Whether links can be made."""
        return self._allow_symlink

    @property
    def name(self) -> str:
        """Class name of the backend."""
        return type(self).__name__

    @abstractmethod
    def get(self, filepath: PathLike) -> bytes:
        """Content of a file."""

    @abstractmethod
    def get_text(self, filepath: PathLike, encoding: str = "utf-8") -> str:
        """Content of a text file."""

    @contextmanager
    def get_local_path(self, filepath: PathLike) -> Iterator[PathLike]:
        """A local copy of a file, removed at the end of the ``with`` block."""
        with NamedTemporaryFile(suffix=Path(str(filepath)).suffix, delete=False) as file:
            file.write(self.get(filepath))
        try:
            yield file.name
        finally:
            Path(file.name).unlink(missing_ok=True)
