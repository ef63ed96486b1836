"""Finds the pieces of state in objects, by the attributes and items on the way to them."""

from __future__ import annotations

import enum
import io
import random
import sys
import types
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mainspring.object_state.containers import (
    PLAIN,
    is_plain,
    items_in,
    parts_of,
    size_of,
    still_has,
    tensors_in,
)
from mainspring.object_state.kinds import KINDS, kind_of

__all__ = ["Places", "Search", "attributes_of"]

Places = dict[str, tuple[type, Any]]
"""By path: the class of what was looked into and, of a container, its keys or how many it holds."""

_MOST_ITEMS = {False: 100_000, True: 1000}
"""Containers with more are data rather than state; in objects that hold data they are sooner."""
_MOST_ITEMS_OF_DATA = 10_000
"""In all containers together that are looked into where data are held."""
_MOST_OF_DATA = 2**16
"""Bytes; larger arrays of what holds data are the data."""
_OF_TORCH = frozenset(vars(nn.Module()))
_OPAQUE = (type, nn.Parameter, DataLoader, types.ModuleType, io.IOBase, enum.Enum,
           types.FunctionType, types.MethodType, types.BuiltinFunctionType)  # fmt: skip


class Leaf(NamedTuple):
    """A piece of state.

    Attributes:
        holder: What holds it.
        key: Its attribute, key or index there.
        value: The piece.
    """

    holder: Any
    key: Any
    value: Any


@dataclass(eq=False)
class Search:
    """Finds the state in objects.

    Attributes:
        seen: The ids of what is not looked at.
        most: Leaves after which no others are looked for.
        places: What was looked into at first, by path: the keys of containers; ``None`` for any.
        elsewhere: Names of attributes that are left out where no data are held.
        has_own_modules: Whether modules are state as a whole.
        is_data: Whether what is visited holds data.
        leaves: The pieces of state, by path.
        holders: What was looked into, by path.
        unsaved: What cannot be read.
        long: Containers with more items than are looked at.
        made: Objects that were not there at first, by path: a resumed run has no such object to put
            a state back into.
    """

    seen: set[int]
    most: float
    places: Places | None
    elsewhere: Collection[str]
    has_own_modules: bool
    is_data: bool = False
    leaves: dict[str, Leaf] = field(default_factory=dict)
    holders: dict[str, Any] = field(default_factory=dict)
    unsaved: dict[str, str] = field(default_factory=dict)
    long: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    _registered: set[int] = field(default_factory=set)
    _room: int = _MOST_ITEMS_OF_DATA

    def visit(self, value: Any, path: str, holder: Any, key: Any, depth: int) -> None:
        """Look at a value.

        Args:
            value: The value.
            path: The names of what leads to it, and its own.
            holder: What holds it.
            key: Its attribute, key or index there.
            depth: How many attributes of attributes are looked at from here on.
        """
        if type(value) in PLAIN or isinstance(value, np.generic):
            self.leaves[path] = Leaf(holder, key, value)
            return
        if id(value) in self.seen or isinstance(value, _OPAQUE) or len(self.leaves) >= self.most:
            return
        if type(value).__module__.startswith("mainspring.runner."):  # a compiled step, the run
            return
        self.seen.add(id(value))
        keeps_state = kind_of(value) in KINDS
        if isinstance(value, random.SystemRandom):
            self.unsaved[path] = "random numbers of the system"
        elif isinstance(value, nn.Module):
            if self.has_own_modules or self._is_hidden(value):
                self.leaves[path] = Leaf(holder, key, value)
            if not self.has_own_modules:
                self._look_into_module(value, path, depth)
        elif keeps_state and (_is_ours(value) or _is_global(value)):
            return
        elif keeps_state and self._tells_its_state(value, path):
            self.leaves[path] = Leaf(holder, key, value)
        elif isinstance(value, Tensor | np.ndarray):
            is_state = not self.is_data or size_of(value) <= _MOST_OF_DATA
            if is_state and not (isinstance(value, np.ndarray) and value.dtype.hasobject):
                self.leaves[path] = Leaf(holder, key, value)
        elif isinstance(value, list | tuple | dict | set | deque):
            self._visit_container(value, path, holder, key, depth)
        elif isinstance(value, Iterator):
            self.unsaved[path] = f"an iterator, {type(value).__name__}"
        elif (depth or _is_of_one_program(holder, value)) and not (
            type(value).__module__.startswith("torch.distributed.")
        ):  # what spreads a model over processes belongs to these processes
            if not self._is_new(path):
                self.look_into(value, path, attributes_of(value), max(depth, 1))
            elif depth:
                self.made[path] = value

    def _visit_container(self, value: Any, path: str, holder: Any, key: Any, depth: int) -> None:
        kind = type(value).__name__
        is_long = len(value) > _MOST_ITEMS[self.is_data]
        inside = items_in(value, self._room) if self.is_data and not is_long else 0
        if is_long or inside > self._room:
            self.long[path] = f"a {kind} of {len(value)} items"
            self._room -= self._room // 20 if inside else 0  # counting takes time, too
            return
        self._room -= inside
        if is_plain(value) or self._is_one_piece(value, path):
            self.leaves[path] = Leaf(holder, key, value)
        elif not depth and not (self.has_own_modules and isinstance(value, dict)):
            if any(isinstance(item, Tensor | np.ndarray) for item in value):
                self.unsaved[path] = f"a {kind} of tensors or arrays"
        elif isinstance(value, deque):
            self.unsaved[path] = "a deque of more than numbers, text and tensors"
        elif isinstance(value, tuple) and type(value) is not tuple and self._is_new(path):
            above = path.rpartition(".")[0]  # it may hold many of them
            self.unsaved[above] = f"it holds a {kind} that the run made"
        elif not isinstance(value, set):
            self.holders[path] = value
            self._room += inside and inside - len(value)  # the others are in parts to come
            items = value.items() if isinstance(value, dict) else enumerate(parts_of(value))
            for name, item in list(items):
                self.visit(item, f"{path}.{name}", value, name, max(depth - 1, 0))

    def _is_hidden(self, module: nn.Module) -> bool:
        """Whether a module is kept from its owner's state dict, in a list for example."""
        return bool(self._registered) and not self.is_data and id(module) not in self._registered

    def _is_one_piece(self, value: Any, path: str) -> bool:
        """Whether a container of tensors is to be put back as a whole, since its places are new."""
        is_as_at_first = self.places is None or still_has(value, self.places.get(path))
        if self.has_own_modules or (is_as_at_first and type(value) is not deque):
            return False
        if not is_plain(value, others=(Tensor, np.ndarray)):
            return False
        is_small = size_of(value) <= (_MOST_OF_DATA if self.is_data else sys.maxsize - 1)
        return is_small and not any(
            (tensor.requires_grad and tensor.is_leaf) or id(tensor) in self._registered
            for tensor in tensors_in(value)
        )

    def _is_new(self, path: str) -> bool:
        return self.places is not None and path not in self.places

    def _tells_its_state(self, value: Any, path: str) -> bool:
        """Whether a `state_dict` works and can be saved; otherwise its owner is looked into."""
        if kind_of(value) not in ("state_dict", "optimizer"):
            return True
        try:
            state = value.state_dict()
        except Exception as error:  # noqa: BLE001 - nobody else asks for it, so it may never have worked
            self.unsaved[f"{path}.state_dict()"] = f"{type(error).__name__}: {error}"
            return False
        if not is_plain(state, depth=1, others=(Tensor, np.ndarray)):
            self.unsaved[f"{path}.state_dict()"] = "more than plain types, tensors and arrays"
            return False
        return True

    def look_into(
        self, owner: Any, path: str, attributes: Iterable[tuple[str, Any]], depth: int
    ) -> None:
        """Look at the attributes of an object.

        Args:
            owner: The object.
            path: The names of what leads to it, and its own.
            attributes: Their names and values.
            depth: As in `visit`, of the object itself.
        """
        self.holders[path] = owner
        for name, value in list(attributes):
            if self.is_data or name not in self.elsewhere:
                self.visit(value, f"{path}.{name}", owner, name, depth - 1)

    def _look_into_module(self, module: nn.Module, path: str, depth: int) -> None:
        self._registered.update(map(id, (*module.modules(), *module.buffers())))
        is_torchs = type(module).__module__.startswith("torch.")
        own = [
            (name, value)
            for name, value in vars(module).items()
            # What torch's modules compute from parameters, such as normalised weights, is no state.
            if name not in _OF_TORCH and not (is_torchs and getattr(value, "grad_fn", None))
        ]
        self.look_into(module, path, own, depth)
        for name in module._non_persistent_buffers_set:
            self.visit(module._buffers.get(name), f"{path}.{name}", module, name, depth)
        for name, child in module._modules.items():
            self.visit(child, f"{path}.{name}", module, name, depth)


def attributes_of(owner: Any) -> Iterator[tuple[str, Any]]:
    """Names and values of what an object keeps, in its slots as well.

    Args:
        owner: The object.
    """
    yield from getattr(owner, "__dict__", {}).items()
    for kind in type(owner).__mro__:
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in ("__dict__", "__weakref__") and hasattr(owner, name):
                yield name, getattr(owner, name)


def _is_of_one_program(holder: Any, value: Any) -> bool:
    """Whether the classes of two objects are written side by side."""
    return type(value).__module__ == type(holder).__module__ != "builtins"


def _is_ours(value: Any) -> bool:
    """Whether the engine keeps the state of an object elsewhere, such as that of the hub."""
    is_engines = type(value).__module__.startswith("mainspring.")
    return is_engines and not isinstance(value, Dataset)


def _is_global(value: Any) -> bool:
    """Whether a generator is one of the process, which are kept as such."""
    numpy = np.random.mtrand._rand
    bits = getattr(value, "bit_generator", value)
    python: Any = random.seed
    shared = (numpy, numpy._bit_generator, python.__self__, torch.default_generator)
    return any(bits is one for one in (*shared, *torch.cuda.default_generators))
