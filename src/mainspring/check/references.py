"""What the names in a config mean: imported names, and strings that a registry knows."""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import mainspring.registry as registries
from mainspring.check.nearest import alike, is_misspelling, nearest
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.schema import NEAR
from mainspring.errors import suggestion
from mainspring.names import ForbiddenNameError, is_of_stdlib
from mainspring.names.imports import ObjectNotFoundError, import_object
from mainspring.output import near_path
from mainspring.registry.autoimport import import_scope, installation_hint
from mainspring.registry.default_scope import DefaultScope, canonical_path, canonical_scope
from mainspring.registry.lookup import known_names, search_tree
from mainspring.registry.registry import Registry

__all__ = ["Failure", "all_registries", "find_name", "find_scope", "import_name"]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a name means nothing.

    Attributes:
        message: What is wrong.
        help: What to do.
        is_near_miss: Whether something has nearly this name.
        at_import: Whether the mistake is in the import statement rather than where it is used.
    """

    message: str
    help: str | None
    is_near_miss: bool = False
    at_import: bool = True


def import_name(value: LazyObject | LazyAttr) -> tuple[Any, Failure | None]:
    """Import what an imported name of a config stands for.

    Args:
        value: What stands for it.

    Returns:
        The object and ``None``, or ``None`` and what is wrong.
    """
    try:
        return value.build(), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - importing runs any code; it is reported
        return None, _failure(value, error)


def _failure(value: LazyObject | LazyAttr, error: BaseException) -> Failure:
    path = dotted_path(value)
    if isinstance(error, ForbiddenNameError):
        return Failure(error.message, error.help)
    if not isinstance(error.__cause__, ObjectNotFoundError):
        frames = traceback.extract_tb(error.__traceback__)
        raised = next(frame for frame in reversed(frames) if not frame.filename.startswith("<"))
        said = f"{path} cannot be imported: {type(error).__name__}: {error}"
        if raised.filename != importlib.__file__:  # as of a SyntaxError, which says its place
            said += f" ({near_path(raised.filename)}:{raised.lineno})"
        return Failure(said, "mend that import first")
    gap, close = _gap(path), _close_paths(path)
    missing = error.__cause__.message if gap is None else gap.message
    if gap is not None and gap.owner is not None:
        missing = f"{canonical_path(path).partition(f'.{gap.missing}')[0]} has no {gap.missing!r}"
    head = canonical_scope(path.partition(".")[0])
    install = f"install {head}, or run where it can be found: beside the config, for instance"
    if "." not in path and isinstance(value, LazyObject) and value.location is None:
        install = f"write the whole path: @package.module.{path}(...)"
    return Failure(
        f"{path} does not exist: {missing}",
        suggestion(close) or (None if _exists(head) else install),
        bool(close),
        at_import=not (isinstance(value, LazyAttr) and _exists(dotted_path(value.source))),
    )


def _gap(path: str) -> ObjectNotFoundError | None:
    """What of a path does not exist; ``None`` where all does, or its import fails otherwise."""
    try:
        import_object(canonical_path(path))
    except ObjectNotFoundError as error:
        return error
    except (Exception, SystemExit):  # noqa: BLE001 - importing runs any code
        return None
    return None


def _exists(path: str) -> bool:
    return not is_of_stdlib(path) and _gap(path) is None


def _close_paths(path: str) -> list[str]:
    """Names like the first part of a path that does not exist."""
    gap = None if is_of_stdlib(path) else _gap(path)
    if gap is None:
        return []
    names = [name for name in dir(gap.owner) if not name.startswith("__")]
    if gap.owner is None or isinstance(gap.owner, ModuleType):
        folders = getattr(gap.owner, "__path__", []) if gap.owner is not None else None
        names += [module.name for module in pkgutil.iter_modules(folders)]
    return nearest(gap.missing, names)


def all_registries() -> Iterator[Registry]:
    """The root registries, those of models and often nested parts first; then a project's own."""
    names = [name for name in registries.__all__ if name.isupper()]
    first = ("MODELS", "TASK_UTILS", "TRANSFORMS", "WEIGHT_INITIALIZERS", "METRICS", "HOOKS")
    for name in [*first, *(name for name in names if name not in first)]:
        yield getattr(registries, name)
    scope = DefaultScope.get_current_instance()
    package = sys.modules.get(f"{scope.scope_name}.registry") if scope else None
    for own in vars(package).values() if package else ():
        if isinstance(own, Registry) and own.parent is None:
            yield own


def find_name(name: str, registry: str) -> tuple[Any, Failure | None]:
    """What a string means.

    Args:
        name: The string.
        registry: Name of the registry in `mainspring.registry` that should know it; empty for any.

    Returns:
        The class or function and ``None``, or ``None`` and what is wrong.
    """
    if not name.strip("."):
        return None, Failure(f"{name!r} is no name", None)
    if registry:
        return _in_registry(name, getattr(registries, registry))
    for known in all_registries():
        found, error = known.search(name)
        if found is not None:
            return found, None
        if error is not None and isinstance(error.__cause__, ForbiddenNameError):
            return None, Failure(error.message, error.help, is_near_miss=True)
    close = _close_to(name, {key for known in all_registries() for key in known_names(known)})
    bare = name.replace(":", ".").rpartition(".")[2]
    close = [item for item in close if alike(bare, item) >= NEAR]
    is_near = any(is_misspelling(bare, item) for item in close)
    return None, Failure(f"no registry knows {name!r}", suggestion(close), is_near)


def find_scope(scope: str) -> Failure | None:
    """What is wrong with a scope, if anything: its package is not there, or has no registries.

    Args:
        scope: Name of the scope.
    """
    scope = canonical_scope(scope)
    failure = None if _has_registry(scope) else import_scope(scope)
    if _has_registry(scope):
        return None
    said = f"default_scope is {scope!r}, but "
    if failure is not None:
        return Failure(f"{said}its import failed: {failure!r}", "mend that import first")
    return Failure(
        f"{said}nothing has that scope",
        installation_hint(scope) or "names are looked up without it; leave it out",
    )


def _has_registry(scope: str) -> bool:
    return any(search_tree(registry, scope) is not None for registry in all_registries())


def _in_registry(name: str, registry: Registry) -> tuple[Any, Failure | None]:
    found, error = registry.search(name)
    if error is None:
        return found, None
    if isinstance(error.__cause__, ForbiddenNameError):
        return None, Failure(error.message, error.help)
    close = _close_to(name, known_names(registry))
    message = f"the registry of {registry.name.replace('_', ' ')}s has no {name!r}"
    reasons = error.message.partition("; ")[2]
    if reasons:
        message += f"; {reasons}"
    ours, advice = suggestion(close), error.help
    # A path that exists in part says more than a search; else what the search says.
    if ours is not None and ("." in name or (advice or "").startswith("did you mean")):
        rest = (advice or "").partition("?; ")[2]
        advice = f"{ours}; {rest}" if rest else ours
    return None, Failure(message, advice, bool(close))


def _close_to(name: str, known: Iterable[str]) -> list[str]:
    """Registered names like this one; for a path whose beginning exists, names at its end."""
    close = nearest(name.rpartition(".")[2], known)
    if "." not in name:
        return close
    path = name.replace(":", ".")
    head, _, rest = path.partition(".")
    if _exists(canonical_scope(head)):
        return _close_paths(path) or close
    packages = [found for found in _close_paths(path) if alike(head, found) >= NEAR]
    return [f"{package}.{rest}" for package in packages] or close
