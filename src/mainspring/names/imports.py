"""Import modules and objects by the names that configs give."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from mainspring.errors import MainspringError

__all__ = [
    "ObjectNotFoundError",
    "get_object_from_string",
    "import_modules_from_strings",
    "import_object",
    "is_about",
]


class ObjectNotFoundError(MainspringError, AttributeError):
    """No module or attribute has the given path.

    Args:
        message: What is wrong.
        owner: The last object on the path that is there; ``None`` for none.
        missing: The name that it does not have.
    """

    def __init__(self, message: str, owner: Any = None, missing: str = "") -> None:
        super().__init__(message)
        self.owner = owner
        self.missing = missing


def is_about(error: BaseException, module: str) -> bool:
    """Whether an import error says that the module itself, or a package around it, is not there.

    It is false where the module exists and something that it imports does not.
    """
    return (
        isinstance(error, ModuleNotFoundError)
        and error.name is not None
        and (module == error.name or module.startswith(f"{error.name}."))
    )


def import_object(path: str, check: Callable[[Any], None] | None = None) -> Any:
    """Import the object that a dotted path names, whatever it is.

    Where a package has a module and a function of one name, the function is meant.

    Args:
        path: ``package.module.Class`` or ``package.module:Class``; attributes of classes, too.
        check: Called with each object on the path before its attribute is looked up; may refuse.

    Returns:
        The object; a module when the path names one.

    Raises:
        ObjectNotFoundError: If nothing has this path.
        Exception: Whatever a module on the path raises while it is imported.
    """
    module_path, colon, attributes = path.partition(":")
    parts = module_path.split(".")
    named = attributes.split(".") if colon else []
    if not all(part.isidentifier() for part in [*parts, *named]):
        raise ObjectNotFoundError(f"{path!r} is not a dotted path")
    found: Any = _import_or_none(parts[0])
    if found is None:
        raise ObjectNotFoundError(f"there is no module {parts[0]!r}", missing=parts[0])
    modules = [".".join(parts[:count]) for count in range(2, len(parts) + 1)]
    for module, part in [*zip(modules, parts[1:], strict=True), *(("", part) for part in named)]:
        if check is not None:
            check(found)
        inner = getattr(found, part, None)
        names_module = module != "" and isinstance(found, ModuleType)
        if names_module and (inner is None or isinstance(inner, ModuleType)):
            inner = _import_or_none(module) or inner
        if inner is None and not hasattr(found, part):
            owner = getattr(found, "__name__", type(found).__name__)
            raise ObjectNotFoundError(f"{owner!r} has no attribute {part!r}", found, part)
        found = inner
    return found


def _import_or_none(module: str) -> ModuleType | None:
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if is_about(error, module):
            return None
        raise


def get_object_from_string(obj_name: str) -> Any:
    """The object that a dotted path names, such as ``torch.optim.SGD``.

    Args:
        obj_name: Dotted path of a module, class, function or attribute.

    Returns:
        The object, or ``None`` when it cannot be imported.
    """
    try:
        return import_object(obj_name)
    except (ObjectNotFoundError, ImportError):
        return None


def import_modules_from_strings(
    imports: list[str] | str | None, allow_failed_imports: bool = False
) -> list[ModuleType | None] | ModuleType | None:
    """Import modules by name.

    Args:
        imports: A name, or names; nothing is imported for an empty value.
        allow_failed_imports: Whether a module that cannot be imported is reported by a warning
            and stands as ``None`` in the result.

    Returns:
        The module for a name, a list of modules for names.

    Raises:
        ImportError: If a module cannot be imported.
        TypeError: If a name is not a string.
    """
    if not imports:
        return None
    names: Any = [imports] if isinstance(imports, str) else imports
    if not isinstance(names, list):
        raise TypeError(f"custom_imports must be a list but got type {type(imports)}")
    modules: list[ModuleType | None] = []
    for name in names:
        if not isinstance(name, str):
            raise TypeError(f"{name} is of type {type(name)} and cannot be imported.")
        try:
            modules.append(import_module(name))
        except ImportError as error:
            if not allow_failed_imports:
                error.add_note(f"Failed to import {name}, which the config asks for")
                raise
            warnings.warn(f"{name} failed to import and is ignored: {error}", stacklevel=2)
            modules.append(None)
    return modules[0] if isinstance(imports, str) else modules
