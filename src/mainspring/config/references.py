"""The names that a printed config refers to, and the imports that give them."""

from __future__ import annotations

import enum
import inspect
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.node import Node
from mainspring.config.plain import path_of
from mainspring.utils.allow import is_forbidden_module

__all__ = ["Imports", "is_printed_as_call", "reference_of"]


def is_printed_as_call(value: Any) -> bool:
    """Whether a value is a recorded call whose callable has a name."""
    return isinstance(value, Node) and reference_of(dict.get(value, "type")) is not None


def reference_of(value: Any) -> tuple[str, str] | None:
    """Module and name under which a value can be imported again.

    Args:
        value: A lazy object, class, function or member of an enumeration.

    Returns:
        Such as ``("torch.optim", "SGD")`` or ``("zoo", "ResNet.from_pretrained")``. What is reached
        through the module itself has a name with a dot before it, ``("torch", ".bfloat16")``, and a
        module none. ``None`` for a value that cannot be imported.
    """
    if isinstance(value, LazyObject | LazyAttr):
        return _of_lazy(value)
    if isinstance(value, enum.Enum):
        return _importable(
            type(value).__module__, f"{type(value).__qualname__}.{value.name}", value
        )
    if isinstance(value, type) or inspect.isroutine(value):
        path = path_of(value)
        module = getattr(value, "__module__", None)
        if path is not None and isinstance(module, str) and path.startswith(f"{module}."):
            return _importable(module, path.removeprefix(f"{module}."), value)
    return None


def _of_lazy(value: LazyObject | LazyAttr) -> tuple[str, str]:
    names: list[str] = []
    while isinstance(value, LazyAttr):
        names.insert(0, value.name)
        value = value.source
    imported = value.__dict__["_imported"]
    if imported:
        return value.module, ".".join([imported, *names])
    return value.module, "".join(f".{name}" for name in names)


def _importable(module: str, name: str, value: Any) -> tuple[str, str] | None:
    """The place of an object, unless it is not found there, or configs may not name it."""
    names = name.split(".")
    if is_forbidden_module(module) or not all(part.isidentifier() for part in names):
        return None
    found: Any = sys.modules.get(module)
    for part in names:
        found = getattr(found, part, None)
    return (module, name) if found is value or found == value else None


class Imports:
    """The import statements of a printed config; each name is bound once.

    Args:
        values: The config.
        taken: Names that the text itself uses.
    """

    def __init__(self, values: Mapping[Any, Any], taken: set[str]) -> None:
        self._taken = set(taken)
        self._bound: dict[tuple[str, str], str] = {}
        self.uses_later = False
        for reference in sorted(set(_references(values))):
            self._bind(reference)
        self.uses_later = any(_late_nodes(values))

    def _bind(self, reference: tuple[str, str]) -> None:
        module, name = reference
        root = name.partition(".")[0]
        if (module, root) in self._bound:
            return
        wanted = root or module.rpartition(".")[2]
        chosen, count = wanted, 1
        while chosen in self._taken:
            count += 1
            chosen = f"{wanted}_{count}"
        self._taken.add(chosen)
        self._bound[module, root] = chosen

    def name_of(self, value: Any) -> str | None:
        """How the text refers to a value; ``None`` if it has no name."""
        reference = reference_of(value)
        if reference is None:
            return None
        module, name = reference
        root, dot, rest = name.partition(".")
        return f"{self._bound[module, root]}{dot}{rest}"

    def lines(self) -> list[str]:
        """The import statements, sorted; empty if there is nothing to import."""
        plain: list[str] = []
        named: dict[str, list[str]] = {}
        for (module, root), chosen in self._bound.items():
            if not root:
                suffix = "" if chosen == module else f" as {chosen}"
                plain.append(f"import {module}{suffix}")
            else:
                suffix = "" if chosen == root else f" as {chosen}"
                named.setdefault(module, []).append(f"{root}{suffix}")
        if self.uses_later:
            named.setdefault("mainspring.config", []).append("later")
        lines = (f"from {module} import {', '.join(sorted(named[module]))}" for module in named)
        return [*sorted(plain), *sorted(lines)]


def _references(value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for key, item in dict.items(value):
            yield from _references(key)
            yield from _references(item)
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _references(item)
    else:
        reference = reference_of(value)
        if reference is not None:
            yield reference


def _late_nodes(value: Any) -> Iterator[Node]:
    if isinstance(value, Node) and value.is_late:
        yield value
    if isinstance(value, dict):
        for item in dict.values(value):
            yield from _late_nodes(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _late_nodes(item)
