"""File formats: how objects become files and come back."""

from __future__ import annotations

import json
import pickle
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from typing import IO, Any

from mainspring.config.text_dialect.yaml_scalars import knowing_numbers
from mainspring.fileio.safe_pickle import safe_load

__all__ = [
    "BaseFileHandler",
    "JsonHandler",
    "PickleHandler",
    "YamlHandler",
    "file_handlers",
    "register_handler",
]


class BaseFileHandler(metaclass=ABCMeta):
    """Base of file formats.

    Attributes:
        str_like: Whether files hold text rather than bytes.
    """

    str_like = True

    @abstractmethod
    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """Read an object from an open file."""

    @abstractmethod
    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""

    @abstractmethod
    def dump_to_str(self, obj: Any, **kwargs: Any) -> Any:
        """An object as text, or bytes."""

    def load_from_path(self, filepath: str, mode: str = "r", **kwargs: Any) -> Any:
        """Read an object from a local file."""
        with open(filepath, mode) as file:
            return self.load_from_fileobj(file, **kwargs)

    def dump_to_path(self, obj: Any, filepath: str, mode: str = "w", **kwargs: Any) -> None:
        """Write an object to a local file."""
        with open(filepath, mode) as file:
            self.dump_to_fileobj(obj, file, **kwargs)


def _as_json(value: Any) -> Any:
    """What JSON does not know: sets and ranges as lists, NumPy's values as Python's."""
    if isinstance(value, set | range):
        return list(value)
    if hasattr(value, "tolist"):
        return value.tolist()
    if hasattr(value, "item"):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")


class JsonHandler(BaseFileHandler):
    """JSON; sets, ranges and NumPy's values are written as lists and numbers."""

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """Read an object from an open file."""
        return json.load(file, **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        json.dump(obj, file, **{"default": _as_json, **kwargs})

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        """An object as text."""
        return json.dumps(obj, **{"default": _as_json, **kwargs})


class YamlHandler(BaseFileHandler):
    """YAML, plain types only: what PyYAML reads, and ``1e-3`` is a number."""

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """Read an object from an open file."""
        import yaml

        return yaml.load(file, **{"Loader": knowing_numbers(yaml.SafeLoader, "float"), **kwargs})

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        import yaml

        yaml.dump(obj, file, **{"Dumper": knowing_numbers(yaml.Dumper, "float"), **kwargs})

    def dump_to_str(self, obj: Any, **kwargs: Any) -> str:
        """An object as text."""
        import yaml

        return str(yaml.dump(obj, **{"Dumper": knowing_numbers(yaml.Dumper, "float"), **kwargs}))


class PickleHandler(BaseFileHandler):
    """Pickle. Loading runs no code from the file, unless told to with ``trust=True``."""

    str_like = False

    def load_from_fileobj(self, file: IO[Any], **kwargs: Any) -> Any:
        """Read an object from an open file; see `mainspring.fileio.safe_pickle.safe_load`."""
        return safe_load(file, **kwargs)

    def dump_to_fileobj(self, obj: Any, file: IO[Any], **kwargs: Any) -> None:
        """Write an object to an open file."""
        pickle.dump(obj, file, **{"protocol": 2, **kwargs})

    def dump_to_str(self, obj: Any, **kwargs: Any) -> bytes:
        """An object as bytes."""
        return pickle.dumps(obj, **{"protocol": 2, **kwargs})

    def load_from_path(self, filepath: str, mode: str = "rb", **kwargs: Any) -> Any:
        """Read an object from a local file."""
        return super().load_from_path(filepath, mode, **kwargs)

    def dump_to_path(self, obj: Any, filepath: str, mode: str = "wb", **kwargs: Any) -> None:
        """Write an object to a local file."""
        super().dump_to_path(obj, filepath, mode, **kwargs)


file_handlers: dict[str, BaseFileHandler] = {
    "json": JsonHandler(),
    "yaml": YamlHandler(),
    "yml": YamlHandler(),
    "pickle": PickleHandler(),
    "pkl": PickleHandler(),
}
"""Formats by ending of the file."""


def register_handler(
    file_formats: str | list[str], **kwargs: Any
) -> Callable[[type[BaseFileHandler]], type[BaseFileHandler]]:
    """Register a file format; use as a decorator of its class.

    Args:
        file_formats: Ending, or several.
        **kwargs: Arguments of the class.
    """

    def register(handler: type[BaseFileHandler]) -> type[BaseFileHandler]:
        if not issubclass(handler, BaseFileHandler):
            raise TypeError(f"{handler!r} is no subclass of BaseFileHandler")
        endings = [file_formats] if isinstance(file_formats, str) else file_formats
        for ending in endings:
            file_handlers[ending] = handler(**kwargs)
        return handler

    return register
