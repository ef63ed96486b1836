"""``custom_imports``: modules that a config wants imported, so that they register their classes."""

from __future__ import annotations

import sys
from typing import Any

from mainspring.errors import ConfigImportError, ConfigTypeError
from mainspring.names import DataName, ForbiddenNameError, is_allowed
from mainspring.names.imports import import_modules_from_strings

__all__ = ["import_modules_of"]

_KEYS = {"imports", "allow_failed_imports"}


def import_modules_of(cfg: Any) -> None:
    """Import the modules that a config asks for in ``custom_imports``.

    Args:
        cfg: A `mainspring.config.Config`.

    Raises:
        ConfigError: The section is malformed, or a module cannot be imported (an `ImportError`).
    """
    wanted = cfg.get("custom_imports")
    if not wanted:
        return
    place = cfg.locate("custom_imports.imports") or cfg.locate("custom_imports")
    given = dict(wanted) if isinstance(wanted, dict) else {"": wanted}
    names = given.get("imports")
    listed = [names] if isinstance(names, str) else names or []
    tolerant = given.get("allow_failed_imports")
    is_known = isinstance(listed, list | tuple) and given.keys() <= _KEYS
    if not (is_known and isinstance(tolerant, bool | int | None)) or not all(
        isinstance(name, str) and all(map(str.isidentifier, name.split("."))) for name in listed
    ):
        raise ConfigTypeError(
            f"custom_imports is {given.get('', given)!r}",
            location=place,
            help="write custom_imports = dict(imports=['my_module'], allow_failed_imports=False)",
        )
    for name in listed:
        if isinstance(name, DataName) and not is_allowed(name):
            root = name.partition(".")[0]
            raise ForbiddenNameError(
                f"custom_imports asks for {name}, and data imports nothing",
                location=place,
                config_path="custom_imports",
                help=f'allow it: --allow {root}, or allow = ["{root}"] under [tool.mainspring] in '
                "pyproject.toml",
            )
    try:
        import_modules_from_strings(list(listed), bool(tolerant))
    except ImportError as error:
        folders = "".join(f"\n    {folder}" for folder in sys.path)
        raise ConfigImportError(
            f"Failed to import custom modules from {given!r}: {error}; "
            f"the current sys.path is:{folders}",
            location=place,
            config_path="custom_imports",
            help="start from the directory that contains your module, or set PYTHONPATH to it",
        ) from error
