"""The names that a printed config refers to, and the imports that give them."""

from __future__ import annotations

import contextlib
import enum
import inspect
import itertools
import sys
from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.config.lazy import LazyAttr, LazyObject, LostObject, dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.printing.plain import (
    DOTTED,
    LITERALS,
    builtin_of,
    call_of,
    is_scalar_of_numpy,
    maker_path,
    path_of,
)
from mainspring.names import DataName, is_allowed, is_of_stdlib
from mainspring.output import Secret
from mainspring.registry.shared import repeated_calls
from mainspring.walk import parts_of

__all__ = ["Imports", "can_be_written", "is_printed_as_call", "reference_of", "shared_calls"]


def is_printed_as_call(value: Any) -> bool:
    """Whether a value is a recorded call whose callable has a name."""
    return isinstance(value, Node) and reference_of(dict.get(value, "type")) is not None


def shared_calls(values: Any) -> dict[int, Node]:
    """The calls that are printed once, because they stand in several places, by their `id`."""
    found: dict[int, Any] = repeated_calls(values)
    return {key: call for key, call in found.items() if is_printed_as_call(call)}


def can_be_written(value: Any) -> bool:
    """Whether a value reads back from a printed config exactly as it is.

    Args:
        value: Any value that is no dict or list of the config; what it holds is read with it, so
            that no name in it is imported when it is built.
    """
    if type(value) in (list, tuple, set, frozenset):
        return all(can_be_written(item) and not is_lazy(item) for item in value)
    if type(value) in (*LITERALS, DataName, Secret) or is_scalar_of_numpy(value) or value is ...:
        return True
    if is_lazy(value) and is_of_stdlib(path := dotted_path(value)) and not is_allowed(path):
        return False  # data may not name it
    call = call_of(value)
    if call is None:
        return reference_of(value) is not None
    return all(type(one) in (*LITERALS, list) or call_of(one) is not None for one in call[1])


def reference_of(value: Any) -> tuple[str, str] | None:
    """Module and name under which a value can be imported again.

    Args:
        value: A lazy object, class, function, member of an enumeration, or what prints itself by a
            path that leads to it, as data types of torch do.

    Returns:
        Such as ``("torch.optim", "SGD")`` or ``("zoo", "ResNet.from_pretrained")``. What is reached
        through the module itself has a name with a dot before it, ``("torch", ".bfloat16")``, and a
        module none. ``None`` for a value that cannot be imported.
    """
    if isinstance(value, LostObject):
        return None
    if isinstance(value, LazyObject | LazyAttr):
        names: list[str] = []
        while isinstance(value, LazyAttr):
            names.insert(0, value.name)
            value = value.source
        imported: str | None = value.__dict__["_imported"]
        if imported:
            return value.module, ".".join([imported, *names])
        return value.module, "".join(f".{name}" for name in names)
    if isinstance(value, enum.Enum):
        return _importable(
            type(value).__module__, f"{type(value).__qualname__}.{value.name}", value
        )
    maker = maker_path(value)
    if maker is not None:
        module, _, name = maker.rpartition(".")
        return module, name
    if isinstance(value, type) or inspect.isroutine(value):
        path, home = path_of(value), getattr(value, "__module__", None)
        if path is not None and isinstance(home, str) and path.startswith(f"{home}."):
            return _importable(home, path.removeprefix(f"{home}."), value)
        return None
    if value is None or isinstance(value, str | int | float | bytes | list | tuple | dict):
        return None
    with contextlib.suppress(Exception):  # whatever an object does to print itself
        module, _, name = repr(value).rpartition(".")
        if DOTTED.fullmatch(f"{module}.{name}"):
            return _importable(module, name, value)
    return None


def _importable(module: str, name: str, value: Any) -> tuple[str, str] | None:
    """The place of an object, unless it is not found there, or configs may not name it."""
    names = name.split(".")
    if module == "builtins":
        known: Any = builtin_of(name)
        return (module, name) if known is not None and known is value else None
    if is_of_stdlib(module) or not all(part.isidentifier() for part in names):
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
        references = sorted(set(_references(values)))
        self.builtins = {name for module, name in references if module == "builtins"}
        self._taken = set(taken) | self.builtins
        self._bound: dict[tuple[str, str], str] = {}
        for module, name in references:
            root = name.partition(".")[0]
            if (module, root) in self._bound or module == "builtins":
                continue
            wanted = root or module.rpartition(".")[2]
            names = itertools.chain([wanted], (f"{wanted}_{n}" for n in itertools.count(2)))
            self._bound[module, root] = chosen = next(n for n in names if n not in self._taken)
            self._taken.add(chosen)
        parts = list(parts_of(dict(values)))
        used = {
            "later": any(isinstance(part, Node) and part.is_late for part in parts),
            "env": any(isinstance(part, Secret) for part in parts),
        }
        self._words = [word for word, is_used in used.items() if is_used]

    def name_of(self, value: Any) -> str | None:
        """How the text refers to a value; ``None`` if it has no name."""
        reference = reference_of(value)
        return None if reference is None else self.name_at(*reference)

    def name_at(self, module: str, name: str) -> str:
        """How the text refers to a name of a module."""
        if module == "builtins":
            return name
        root, dot, rest = name.partition(".")
        return f"{self._bound[module, root]}{dot}{rest}"

    def lines(self) -> list[str]:
        """The import statements, sorted; empty if there is nothing to import."""
        plain: list[str] = []
        named: dict[str, list[str]] = {"mainspring.config": [*self._words]} if self._words else {}
        for (module, root), chosen in self._bound.items():
            suffix = "" if chosen == (root or module) else f" as {chosen}"
            if root:
                named.setdefault(module, []).append(f"{root}{suffix}")
            else:
                plain.append(f"import {module}{suffix}")
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
            return
        call = call_of(value)
        if call is not None:
            module, _, name = call[0].rpartition(".")
            yield module, name
            yield from _references(call[1])
