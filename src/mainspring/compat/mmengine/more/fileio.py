"""Names of `mmengine.fileio`'s inner modules."""

from __future__ import annotations

from typing import Any

from mainspring.fileio.backends.registry import BackendClass, Prefixes, register_backend
from mainspring.fileio.handlers import BaseFileHandler, _as_json, file_handlers

__all__ = ["set_default"]


def set_default(obj: Any) -> Any:
    """What JSON does not know as what it knows.

    Raises:
        TypeError: There is nothing like it.
    """
    return _as_json(obj)


def _register_backend(
    name: str,
    backend: BackendClass,
    force: bool = False,
    prefixes: Prefixes = None,
) -> None:
    register_backend(name, backend, force, prefixes)


def _register_handler(handler: BaseFileHandler, file_formats: str | list[str]) -> None:
    if not isinstance(handler, BaseFileHandler):
        raise TypeError(f"handler must be a child of BaseFileHandler, not {type(handler)}")
    names = [file_formats] if isinstance(file_formats, str) else file_formats
    file_handlers.update(dict.fromkeys(names, handler))
