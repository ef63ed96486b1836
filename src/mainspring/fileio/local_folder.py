"""Folders that must lie on the local file system."""

from __future__ import annotations

import os
import re
from typing import Any

from mainspring.errors import ConfigError, ConfigTypeError

__all__ = ["local_folder"]

_URL = re.compile(r"[a-z][a-z0-9+.-]+:/", re.IGNORECASE)  # a `Path` folds the second slash


def local_folder(path: Any, setting: str, *, instead: str | None = None) -> str:
    """A folder that a user named, if it is one.

    Args:
        path: What the user gave.
        setting: Config path of it, or the option that it comes from.
        instead: What to write to reach storage.

    Raises:
        ConfigError: It is no path, or a URL, which would become a folder of that name.
    """
    if not isinstance(path, str | os.PathLike):
        kind = type(path).__name__
        raise ConfigTypeError(f"{setting} is a {kind}, but has to be a path", config_path=setting)
    text = os.fspath(path)
    if _URL.match(text):
        raise ConfigError(
            f"{setting} is {text!r}, a URL, but has to be a folder of this machine",
            config_path=setting,
            help=instead or "give a local path",
        )
    return text
