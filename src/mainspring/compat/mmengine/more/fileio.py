"""Names of `mmengine.fileio`'s inner modules."""

from __future__ import annotations

from mainspring.fileio.backends.registry import register_backend
from mainspring.fileio.handlers import BaseFileHandler, _as_json, file_handlers

set_default = _as_json
_register_backend = register_backend


def _register_handler(handler: BaseFileHandler, file_formats: str | list[str]) -> None:
    if not isinstance(handler, BaseFileHandler):
        raise TypeError(f"handler must be a child of BaseFileHandler, not {type(handler)}")
    names = [file_formats] if isinstance(file_formats, str) else file_formats
    file_handlers.update(dict.fromkeys(names, handler))
