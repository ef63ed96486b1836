"""Import the modules that fill a registry, and remember what kept one from being imported."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from mainspring.names import is_of_stdlib
from mainspring.names.imports import is_about
from mainspring.names.openmmlab import MODULE2PACKAGE

__all__ = ["import_locations", "import_scope", "installation_hint"]


def import_scope(scope: str) -> Exception | None:
    """Import ``<scope>.registry``, which adds the scope's registries to the trees.

    Args:
        scope: Name of a package.

    Returns:
        The error that an existing module raised; ``None`` when the import succeeded or there is no
        such module, so that nothing can be hidden in it.
    """
    if not scope.isidentifier() or is_of_stdlib(scope):
        return None
    return _import(f"{scope}.registry")


def import_locations(locations: list[str], scope: str) -> Exception | None:
    """Import the modules in which a registry's classes are registered.

    A package of OpenMMLab that names no locations is asked to register everything instead.

    Args:
        locations: Names of the modules.
        scope: Scope of the registry.

    Returns:
        The first error, noted with the module; the other modules are imported all the same.
    """
    if not locations and scope in MODULE2PACKAGE:
        try:
            utils: Any = import_module(f"{scope}.utils")
        except Exception as error:  # noqa: BLE001 - kept, and chained to the lookup's own error
            return None if is_about(error, f"{scope}.utils") else error
        utils.register_all_modules(False)
        return None
    failures = [_import(location, must_exist=True) for location in locations]
    return next((failure for failure in failures if failure is not None), None)


def installation_hint(scope: str) -> str | None:
    """How to install the package of a known scope."""
    package = MODULE2PACKAGE.get(scope)
    return f"is {scope} installed? pip install {package}" if package else None


def _import(module: str, must_exist: bool = False) -> Exception | None:
    try:
        import_module(module)
    except Exception as error:  # noqa: BLE001 - kept, and chained to the lookup's own error
        if not must_exist and is_about(error, module):
            return None
        note = f"while importing {module}, to look for registered names"
        if note not in getattr(error, "__notes__", ()):
            error.add_note(note)
        return error
    return None
