"""``custom_imports``: modules that a config wants imported, so that they register their classes."""

from __future__ import annotations

import sys
from typing import Any

from mainspring.config.errors import ConfigImportError, ConfigTypeError
from mainspring.utils import import_modules_from_strings

__all__ = ["import_modules_of"]


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
    if not isinstance(wanted, dict):
        raise ConfigTypeError(
            f"custom_imports is {wanted!r}",
            location=place,
            help="write custom_imports = dict(imports=['my_module'])",
        )
    try:
        import_modules_from_strings(**wanted)
    except ImportError as error:
        folders = "".join(f"\n    {folder}" for folder in sys.path)
        raise ConfigImportError(
            f"Failed to import custom modules from {dict(wanted)!r}: {error}; "
            f"the current sys.path is:{folders}",
            location=place,
            config_path="custom_imports",
            help="start from the directory that contains your module, or set PYTHONPATH to it",
        ) from error
