"""Import modules and objects by the names that configs give."""

from __future__ import annotations

import warnings
from importlib import import_module
from types import ModuleType
from typing import Any, overload

from mainspring.errors import MainspringError
from mainspring.utils.allow import check_harmless, check_path, check_runs_no_code

__all__ = [
    "ObjectNotFoundError",
    "get_object_from_string",
    "import_modules_from_strings",
    "import_object",
    "is_about",
]


class ObjectNotFoundError(MainspringError, AttributeError):
    """No module or attribute has the given path."""


def is_about(error: BaseException, module: str) -> bool:
    """Whether an import error says that the module itself, or a package around it, is not there.

    It is false where the module exists and something that it imports does not.
    """
    return (
        isinstance(error, ModuleNotFoundError)
        and error.name is not None
        and (module == error.name or module.startswith(f"{error.name}."))
    )


def import_object(path: str, *, written_as_code: bool = False, checked: bool = True) -> Any:
    """Import the object that a dotted path names.

    Where a package has a module and a function of one name, the function is meant.

    Args:
        path: ``package.module.Class`` or ``package.module:Class``; attributes of classes, too.
        written_as_code: Whether a person imported the name in a program, which may name functions
            that run code or touch files; a string or a file that is data may not.
        checked: Whether to refuse what configs may not reach.

    Returns:
        The object; a module when the path names one.

    Raises:
        ObjectNotFoundError: If nothing has this path.
        ForbiddenNameError: If configs may not reach it, see `mainspring.utils.allow`.
        Exception: Whatever a module on the path raises while it is imported.
    """
    module_path, colon, attributes = path.partition(":")
    parts = module_path.split(".")
    named = attributes.split(".") if colon else []
    if not all(part.isidentifier() for part in [*parts, *named]):
        raise ObjectNotFoundError(f"{path!r} is not a dotted path")
    if checked:
        check_path(path)
    found: Any = _import_or_none(parts[0])
    if found is None:
        raise ObjectNotFoundError(f"there is no module {parts[0]!r}")
    for index, part in enumerate(parts[1:], start=2):
        found = _step(found, ".".join(parts[:index]), part)
        if checked:
            check_harmless(found, path)
    for part in named:
        found = _step(found, "", part)
        if checked:
            check_harmless(found, path)
    if checked and not written_as_code:
        check_runs_no_code(found, path)
    return found


def _step(found: Any, module: str, name: str) -> Any:
    inner = getattr(found, name, None)
    names_module = module != "" and isinstance(found, ModuleType)
    if names_module and (inner is None or isinstance(inner, ModuleType)):
        inner = _import_or_none(module) or inner
    if inner is None and not hasattr(found, name):
        owner = getattr(found, "__name__", type(found).__name__)
        raise ObjectNotFoundError(f"{owner!r} has no attribute {name!r}")
    return inner


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
        return import_object(obj_name, checked=False)
    except (ObjectNotFoundError, ImportError):
        return None


@overload
def import_modules_from_strings(
    imports: str, allow_failed_imports: bool = False
) -> ModuleType | None: ...
@overload
def import_modules_from_strings(
    imports: list[str], allow_failed_imports: bool = False
) -> list[ModuleType | None]: ...
@overload
def import_modules_from_strings(imports: None, allow_failed_imports: bool = False) -> None: ...
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
    names = [imports] if isinstance(imports, str) else imports
    if not isinstance(names, list):
        raise TypeError(f"custom_imports must be a list but got type {type(imports)}")
    modules = [_import_allowing(name, allow_failed_imports) for name in names]
    return modules[0] if isinstance(imports, str) else modules


def _import_allowing(name: object, allow_failure: bool) -> ModuleType | None:
    if not isinstance(name, str):
        raise TypeError(f"{name} is of type {type(name)} and cannot be imported.")
    try:
        return import_module(name)
    except ImportError as error:
        if not allow_failure:
            error.add_note(f"Failed to import {name}, which the config asks for")
            raise
        warnings.warn(f"{name} failed to import and is ignored: {error}", stacklevel=3)
        return None
