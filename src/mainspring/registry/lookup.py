"""How a registry finds what a name means, and what it says when nothing is found.

A name is looked up in this order:

1. ``ResNet``: in the registry itself, then in its parent, and so on up to the root.
2. ``mmdet.ResNet``: in the registry of that scope in the same tree, then upwards from there; in
   the registry itself alone when the scope is its own.
3. ``torch.nn.Conv2d`` or ``pkg.module:Class``: as the path of an importable object.
4. ``F1Score``: among the classes of other projects' packages that the root registry names.

Before a registry gives a name up, its locations are imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from types import ModuleType
from typing import TYPE_CHECKING, Any

from mainspring.errors import UnknownTypeError, did_you_mean
from mainspring.names import ForbiddenNameError, import_named, origin_of
from mainspring.names.imports import ObjectNotFoundError
from mainspring.registry.autoimport import import_scope, installation_hint
from mainspring.registry.default_scope import canonical_path, canonical_scope

if TYPE_CHECKING:
    from mainspring.registry.registry import Registry

__all__ = ["Lookup", "known_names", "registry_of", "search_tree", "split_scope_key"]


def split_scope_key(key: str) -> tuple[str | None, str]:
    """Split ``mmdet.ResNet`` into scope and name; the scope is ``None`` where there is no dot."""
    scope, dot, name = key.partition(".")
    return (canonical_scope(scope), name) if dot else (None, key)


def search_tree(registry: Registry, scope: str) -> Registry | None:
    """The registry of a scope among a registry and its descendants, depth first."""
    return next((node for node in _descendants(registry) if node.scope == scope), None)


def registry_of(scope: str, *trees: Registry) -> tuple[Registry | None, Exception | None]:
    """The registry of a scope, whose package is imported if need be.

    Args:
        scope: Name of the scope.
        *trees: Registries among whose descendants it is looked for, one after the other.

    Returns:
        The registry, or ``None``; and the error that the package raised on import, if it did.
    """
    failure: Exception | None = None
    for attempt in range(2):
        for tree in trees:
            found = search_tree(tree, scope)
            if found is not None:
                return found, failure
        failure = import_scope(scope) if not attempt else failure
    return None, failure


class Lookup:
    """One search for a name: its result and everything that an error should tell about it.

    Args:
        key: The name.
        registry: Where to begin.

    Attributes:
        found: What the name means, ``None`` if nothing was found.
        searched: The registries that were asked.
        failures: Import errors on the way, each of which may have hidden the name.
        missing: What of a path does not exist, if the name is one.
    """

    def __init__(self, key: str, registry: Registry) -> None:
        self.key = key
        self.registry = registry
        self.searched: list[Registry] = []
        self.location_failures: list[Exception] = []
        self.scope_failures: list[Exception] = []
        self.path_failures: list[Exception] = []
        self.missing = ""
        self.found = self._in_tree(registry, key)
        if self.found is None:
            self.found = self._at_path()
        if self.found is None:
            self.found = self._in_packages()

    @property
    def failures(self) -> list[Exception]:
        """Import errors on the way, those nearest to the name first."""
        return [*self.scope_failures, *self.location_failures, *self.path_failures]

    def _in_tree(self, registry: Registry, key: str) -> Any:
        scope, name = split_scope_key(key)
        if scope is None:
            node: Registry | None = registry
            while node is not None:
                found = self._in_node(node, name)
                if found is not None:
                    return found
                node = node.parent
            return None
        if scope == registry.scope:
            return self._in_node(registry, name)
        owner, failure = registry_of(scope, registry, registry.root)
        if failure is not None:
            self.scope_failures.append(failure)
        if owner is None or owner is registry:
            return None
        return self._in_node(owner, name) if owner.parent is None else self._in_tree(owner, name)

    def _in_node(self, registry: Registry, name: str) -> Any:
        if registry not in self.searched:
            self.searched.append(registry)
        if name not in registry.module_dict:
            failure = registry.try_locations()
            if failure is not None and failure not in self.location_failures:
                self.location_failures.append(failure)
        return registry.module_dict.get(name)

    def _at_path(self) -> Any:
        if "." not in self.key and ":" not in self.key:
            return None
        for path in dict.fromkeys([canonical_path(self.key), self.key]):
            try:
                found = import_named(path, origin_of(self.key))
            except ObjectNotFoundError as error:
                self.missing = error.message
            except Exception as error:  # noqa: BLE001 - kept, and chained to the lookup's own error
                if not isinstance(error, ForbiddenNameError):
                    error.add_note(f"while importing {path}")
                self.path_failures.append(error)
            else:
                return None if isinstance(found, ModuleType) else found
        return None

    def _in_packages(self) -> Any:
        for package in self.registry.root.packages if self.key.isidentifier() else ():
            try:
                found = getattr(importlib.import_module(package), self.key, None)
            except ImportError as error:
                if not package.startswith(error.name or "?"):  # else not installed
                    error.add_note(f"while importing {package}")
                    self.path_failures.append(error)
                continue
            if isinstance(found, type):
                return found
        return None

    def error(
        self, tried: Lookup | None = None, missing_scope: str | None = None
    ) -> UnknownTypeError:
        """The error for a name that was not found, chained to the import error that hid it.

        Args:
            tried: An earlier search for the same name that failed, too.
            missing_scope: A scope that was asked for and has no registry in this tree.
        """
        searches = [self] if tried is None else [tried, self]
        first = searches[0]
        asked = list(dict.fromkeys(node for search in searches for node in search.searched))
        failures = [failure for search in searches for failure in search.failures]
        for failure in failures:
            if isinstance(failure, ForbiddenNameError):
                refused = UnknownTypeError(failure.message, help=failure.help)
                refused.__cause__ = failure
                return refused
        message = f"{self.key} is not in the {first.registry.scope}::{first.registry.name} registry"
        if asked:
            message += f" (searched: {', '.join(f'{node.scope}::{node.name}' for node in asked)})"
        for failure in failures:
            notes = getattr(failure, "__notes__", ["while importing"])
            message += f"; {notes[-1].split(',')[0]}: {type(failure).__name__}: {failure}"
        if first.missing and not failures:
            message += f"; {first.missing}"
        if missing_scope is not None:
            message += f"; the scope {missing_scope!r} has no registry of this kind"
        error = UnknownTypeError(message, help=self._help(asked, bool(failures), missing_scope))
        error.__cause__ = failures[0] if failures else None
        return error

    def _help(self, asked: list[Registry], was_hidden: bool, missing_scope: str | None) -> str:
        hints = []
        scope, name = split_scope_key(self.key)
        bare = name.rpartition(".")[2] if scope else name
        elsewhere = [node for node in _descendants(self.registry.root) if bare in node.module_dict]
        if elsewhere:
            places = " or ".join(f"{node.scope}.{bare}" for node in elsewhere)
            hints.append(f"found as {places}: write that, or set _scope_")
        else:
            known = {name: node for node in reversed(asked) for name in node.module_dict}
            close = did_you_mean(bare, known)
            hints += [close] if close else []
        installation = installation_hint(missing_scope or scope or "")
        if installation and not was_hidden:
            hints.append(installation)
        if not hints and not was_hidden:
            hints.append(
                f"if it is a class of yours, import its module before, e.g. with custom_imports="
                f"dict(imports=['my_module']), or write its path, e.g. 'my_module.{bare}'"
            )
        return "; ".join(hints) or "mend that import first"


def known_names(registry: Registry) -> Iterator[str]:
    """The names that a registry and its descendants have."""
    for node in _descendants(registry):
        yield from node.module_dict


def _descendants(registry: Registry) -> Iterator[Registry]:
    yield registry
    for child in registry.children.values():
        yield from _descendants(child)
