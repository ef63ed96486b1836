"""What objects remember in their attributes: generators, counters, buffers that no state dict has.

Samplers, data sets and models of users seldom have a `state_dict` for all that their next step
depends on. What is found in them that can be read and put back goes into checkpoints; what cannot
is named.
"""

from __future__ import annotations

import copy
import enum
import io
import math
import random
import sys
import types
import weakref
from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from multiprocessing.sharedctypes import SynchronizedBase
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from mainspring.device.containers import (
    PLAIN,
    is_plain,
    keys_of,
    moved,
    size_of,
    still_has,
    tensors_in,
)
from mainspring.device.devices import get_device
from mainspring.device.optimizer_state import load_inner_optimizer

__all__ = ["InnerState", "Kept"]

Kept = dict[str, dict[str, Any]]
"""By path: what kind of state it is, and the state, in plain types and tensors."""

_Places = dict[str, tuple[type, Any]]
_VALUES = frozenset((*PLAIN, list, tuple, dict, set, deque, OrderedDict, Tensor, np.ndarray))
_MOST_ITEMS = {False: 100_000, True: 1000}
"""Containers with more are data rather than state; in objects that hold data they are sooner."""
_MOST_BYTES = 2**26
_MOST_COMPARED = 2**20
_MOST_OF_DATA = 2**16
"""Larger arrays of what holds data are the data."""
_OF_TORCH = frozenset(vars(nn.Module()))
_OPAQUE = (type, nn.Parameter, DataLoader, types.ModuleType, io.IOBase, enum.Enum,
           types.FunctionType, types.MethodType, types.BuiltinFunctionType)  # fmt: skip


class InnerState:
    """The state that is found in some objects, compared with what it was at first.

    Args:
        owners: Gives the objects by name; each name begins the paths within it.
        data: Names of those that hold data, so that arrays, tensors and long lists are no state.
        depth: How many attributes of attributes are looked at.
        most: Pieces of state that are looked for; others are left out.
        elsewhere: Gives the objects whose state others keep.
        inside: Names of the objects whose attributes are looked at, whatever they tell of
            themselves.
        has_own_modules: Whether modules that others do not keep are state as a whole, with their
            weights.
        names_elsewhere: Attributes whose state, if they have any, others keep.
    """

    def __init__(
        self,
        owners: Callable[[], Mapping[str, Any]],
        *,
        data: Collection[str] = (),
        depth: int = 5,
        most: float = math.inf,
        elsewhere: Callable[[], Iterable[Any]] = tuple,
        inside: Collection[str] = (),
        has_own_modules: bool = False,
        names_elsewhere: Collection[str] = ("runner", "_runner", "dataset", "data_source"),
    ) -> None:
        self._names_elsewhere = names_elsewhere
        self._most = most
        self._owners = owners
        self._elsewhere = elsewhere
        self._inside = inside
        self._has_own_modules = has_own_modules
        self._data = data
        self._depth = depth
        self._places: _Places | None = None
        self._made: dict[str, tuple[int, Callable[[], Any]]] = {}
        walk = self._walk()
        self._first = {path: _mark(value) for path, (_, _, value) in walk.leaves.items()}
        self._places = {path: keys_of(value) for path, value in walk.holders.items()}
        self._first_long = walk.long

    def __len__(self) -> int:
        """Pieces of state at first."""
        return len(self._first)

    def _walk(self) -> _Walk:
        seen = {id(other) for other in self._elsewhere()}
        walk = _Walk(seen, self._most, self._places, self._names_elsewhere)
        walk.has_own_modules = self._has_own_modules
        for name, owner in self._owners().items():
            walk.is_data = name in self._data
            if name in self._inside:
                walk.look_into(owner, name, _attributes(owner), self._depth)
            else:
                walk.visit(owner, name, {}, name, self._depth)
        return walk

    def capture(self, *, all_of_it: bool = False) -> Kept:
        """The state now: generators, objects with a `state_dict`, and what is not as at first.

        Args:
            all_of_it: Whether to take along what is as at first.
        """
        kept: Kept = {}
        for path, (holder, key, value) in self._walk().leaves.items():
            kind = _kind_of(value)
            is_told = kind in _KINDS and kind != "module"
            changed = is_told or not (path in self._first and _is_same(self._first[path], value))
            if changed or (all_of_it and size_of(value) <= _MOST_BYTES):
                state = _KINDS[kind][1](value) if kind in _KINDS else _copied(value)
                on_device = any(not tensor.is_cpu for tensor in tensors_in(value))
                kept[path] = {
                    "kind": kind, "state": state, "changed": changed, "on_device": on_device
                }  # fmt: skip
                if isinstance(value, deque):
                    kept[path]["maxlen"] = value.maxlen
                if isinstance(holder, dict | list) and type(key) in PLAIN:
                    kept[path]["key"] = key
        return kept

    def first_number(self, path: str) -> float | None:
        """What a piece of state was at first, if it was a number."""
        first = self._first.get(path)
        return first if isinstance(first, int | float) else None

    def unsaved(self, moment: int = 0) -> dict[str, str]:
        """What is found but cannot be read or put back, by path: what it is.

        Args:
            moment: Number of the iteration. An object that was not there at first counts if it
                was found at an earlier moment too, since most are of one batch only.
        """
        walk = self._walk()
        stay = {path: at for path, at in self._made.items() if at[1]() is walk.made.get(path)}
        self._made = {
            path: stay.get(path, (moment, _weakly(one))) for path, one in walk.made.items()
        }
        long = {p: what for p, what in walk.long.items() if self._first_long.get(p) != what}
        stays = {
            path: f"a {type(walk.made[path]).__name__} that the run made"
            for path, (since, _) in self._made.items()
            if since < moment
        }
        return walk.unsaved | long | stays

    def generators(self, but: Callable[[Any], bool]) -> list[str]:
        """The paths of generators and of objects that have a `state_dict`.

        Args:
            but: Which to leave out.
        """
        leaves = self._walk().leaves.items()
        return [p for p, (_, _, value) in leaves if _kind_of(value) in _KINDS and not but(value)]

    def restore(self, kept: Kept, *, without: str = "") -> list[str]:
        """Put a state back.

        Args:
            kept: What `capture` gave, perhaps in another process.
            without: A kind of state to leave alone.

        Returns:
            The paths of what could not be put back.
        """
        walk, lost = self._walk(), []
        for path, state in kept.items():
            if state["kind"] == without:
                continue
            name = state.get("key", path.rpartition(".")[2])
            above = path[: -len(f".{name}")]
            within = walk.holders.get(above, walk.leaves.get(above, (None, None, None))[2])
            holder, key, value = walk.leaves.get(path, (within, name, None))
            try:
                if path in walk.leaves and _put_into(value, state):
                    continue
                if path in walk.unsaved:  # such as an iterator that is under way
                    lost.append(path)
                    continue
                made = _made_of(state)
                if isinstance(holder, list) and key == len(holder):
                    holder.append(made)
                elif isinstance(holder, dict | list):
                    holder[key] = made
                else:
                    setattr(holder, key, made)
            except (AttributeError, TypeError, ValueError, RuntimeError, LookupError):
                lost.append(path)
        return lost


class _Walk:
    """Finds the state in objects.

    Args:
        seen: The ids of what is not looked at.
        most: Leaves after which no others are looked for.
        places: What was looked into at first, by path: the keys of containers; ``None`` for any.
        elsewhere: Names of attributes that are left out where no data are held.

    Attributes:
        has_own_modules: Whether modules are state as a whole.
        is_data: Whether what is visited holds data.
        leaves: By path: what holds a piece of state, under which key, and the piece.
        holders: What was looked into, by path.
        unsaved: What cannot be read.
        long: Containers with more items than are looked at.
        made: Objects that were not there at first, by path: a resumed run has no such object to put
            a state back into.
    """

    def __init__(
        self, seen: set[int], most: float, places: _Places | None, elsewhere: Collection[str]
    ) -> None:
        self.is_data = self.has_own_modules = False
        self._elsewhere = elsewhere
        self._seen = seen
        self._most = most
        self._places = places
        self.leaves: dict[str, tuple[Any, Any, Any]] = {}
        self.holders: dict[str, Any] = {}
        self.unsaved: dict[str, str] = {}
        self.long: dict[str, str] = {}
        self._registered: set[int] = set()
        self.made: dict[str, Any] = {}

    def visit(self, value: Any, path: str, holder: Any, key: Any, depth: int) -> None:
        if type(value) in PLAIN or isinstance(value, np.generic):
            self.leaves[path] = holder, key, value
            return
        if id(value) in self._seen or isinstance(value, _OPAQUE) or len(self.leaves) >= self._most:
            return
        self._seen.add(id(value))
        if isinstance(value, random.SystemRandom):
            self.unsaved[path] = "random numbers of the system"
            return
        if isinstance(value, nn.Module) and self.has_own_modules:
            self.leaves[path] = holder, key, value
        elif isinstance(value, nn.Module):
            if self._registered and id(value) not in self._registered and not self.is_data:
                # Hidden from its owner's state dict, in a list for example.
                self.leaves[path] = holder, key, value
            self._look_into_module(value, path, depth)
        elif _kind_of(value) in _KINDS and (_is_ours(value) or _is_global(value)):
            return
        elif _kind_of(value) in _KINDS and self._tells_its_state(value, path):
            self.leaves[path] = holder, key, value
        elif isinstance(value, Tensor | np.ndarray):
            is_small = size_of(value) <= _MOST_OF_DATA
            if (is_small or not self.is_data) and not (
                isinstance(value, np.ndarray) and value.dtype.hasobject
            ):
                self.leaves[path] = holder, key, value
        elif isinstance(value, list | tuple | dict | set | deque):
            if len(value) > _MOST_ITEMS[self.is_data]:
                self.long[path] = f"a {type(value).__name__} of {len(value)} items"
                return
            if is_plain(value) or self._is_one_piece(value, path):
                self.leaves[path] = holder, key, value
            elif depth or (self.has_own_modules and isinstance(value, dict)):
                if isinstance(value, set | deque):
                    if isinstance(value, deque):
                        self.unsaved[path] = "a deque of more than numbers, text and tensors"
                    return
                if isinstance(value, tuple) and type(value) is not tuple and self._is_new(path):
                    above = path.rpartition(".")[0]  # it may hold many of them
                    self.unsaved[above] = f"it holds a {type(value).__name__} that the run made"
                    return
                self.holders[path] = value
                # A subclass may shuffle when it is iterated.
                parts: Any = list.__iter__ if isinstance(value, list) else tuple.__iter__
                items = value.items() if isinstance(value, dict) else enumerate(parts(value))
                for name, item in list(items):
                    self.visit(item, f"{path}.{name}", value, name, max(depth - 1, 0))
            elif any(isinstance(item, Tensor | np.ndarray) for item in value):
                self.unsaved[path] = f"a {type(value).__name__} of tensors or arrays"
        elif isinstance(value, Iterator):
            self.unsaved[path] = f"an iterator, {type(value).__name__}"
        elif (depth or _is_of_one_program(holder, value)) and not (
            type(value).__module__.startswith("torch.distributed.")
        ):  # what spreads a model over processes belongs to these processes
            if not self._is_new(path):
                self.look_into(value, path, _attributes(value), max(depth, 1))
            elif depth:
                self.made[path] = value

    def _is_one_piece(self, value: Any, path: str) -> bool:
        """Whether a container of tensors is to be put back as a whole, since its places are new."""
        is_as_at_first = self._places is None or still_has(value, self._places.get(path))
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
        return self._places is not None and path not in self._places

    def _tells_its_state(self, value: Any, path: str) -> bool:
        """Whether a `state_dict` works and can be saved; otherwise its owner is looked into."""
        if _kind_of(value) not in ("state_dict", "optimizer"):
            return True
        try:
            state = value.state_dict()
        except Exception as error:  # noqa: BLE001 - nobody else asks for it, so it may never have worked
            self.unsaved[f"{path}.state_dict()"] = f"{type(error).__name__}: {error}"
            return False
        if not is_plain(state, is_part=True, others=(Tensor, np.ndarray)):
            self.unsaved[f"{path}.state_dict()"] = "more than plain types, tensors and arrays"
            return False
        return True

    def look_into(
        self, owner: Any, path: str, attributes: Iterable[tuple[str, Any]], depth: int
    ) -> None:
        """Look at the attributes of an object."""
        self.holders[path] = owner
        for name, value in list(attributes):
            if self.is_data or name not in self._elsewhere:
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


def _attributes(owner: Any) -> Iterator[tuple[str, Any]]:
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


def _mark(value: Any) -> Any:
    """By what it is known later whether a value has changed."""
    if isinstance(value, nn.Module):
        weights = value.state_dict().values()
        return [(w.shape, w.double().sum().item()) for w in weights if isinstance(w, Tensor)]
    if isinstance(value, Tensor):
        # What is written through `data`, or NumPy's view, leaves the version as it is.
        copied = value.detach().clone() if size_of(value) <= _MOST_COMPARED else None
        return weakref.ref(value), _version(value), copied
    if isinstance(value, np.ndarray):
        return value.copy() if value.nbytes <= _MOST_BYTES else None
    if _kind_of(value) in _KINDS or any(True for _ in tensors_in(value)):
        return None
    return copy.deepcopy(value)


def _is_same(mark: Any, value: Any) -> bool:
    if isinstance(value, nn.Module):
        return bool(mark == _mark(value))
    if isinstance(value, Tensor):
        return (
            type(mark) is tuple
            and mark[0]() is value
            and bool(mark[1] == _version(value))
            and (mark[2] is None or _is_equal(mark[2], value.detach()))
        )
    if isinstance(value, np.ndarray):
        return mark is None or (isinstance(mark, np.ndarray) and np.array_equal(mark, value))
    return type(mark) is type(value) and bool(mark == value)


def _is_equal(one: Tensor, other: Tensor) -> bool:
    return one.device == other.device and torch.equal(one, other)


def _weakly(value: Any) -> Callable[[], Any]:
    return weakref.ref(value) if type(value).__weakrefoffset__ else lambda: None


def _version(value: Tensor) -> int:
    return -1 if value.is_inference() else value._version


def _copied(value: Any) -> Any:
    copied = moved(value, lambda tensor: tensor.detach().to("cpu", copy=True))
    if isinstance(value, deque):
        return list(copied)
    return dict(copied) if isinstance(value, dict) else copied


def _kind_of(value: Any) -> str:
    if type(value) in _VALUES:
        return "value"
    for kind, (known, *_) in _KINDS.items():
        if known is not None and isinstance(value, known):
            return kind
    methods = (getattr(value, name, None) for name in ("state_dict", "load_state_dict"))
    return "state_dict" if all(map(callable, methods)) else "value"


def _made(generator: Any, state: Any) -> Any:
    """A new generator of NumPy, or what one is made of, in a state."""
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return generator(bits)


def _put_shared(value: Any, state: Any) -> None:
    if hasattr(value, "value"):
        value.value = state
    else:
        value[:] = state


_KINDS: dict[str, tuple[Any, Callable[[Any], Any], Callable[[Any, Any], Any]]] = {
    "torch": (torch.Generator, lambda g: g.get_state(), lambda g, s: g.set_state(s)),
    "numpy": (
        np.random.Generator,
        lambda g: g.bit_generator.state,
        lambda g, s: setattr(g.bit_generator, "state", s),
    ),
    "numpy's legacy": (
        np.random.RandomState,
        lambda g: g.get_state(legacy=False),
        lambda g, s: g.set_state(s),
    ),
    "bits": (np.random.BitGenerator, lambda g: g.state, lambda g, s: setattr(g, "state", s)),
    "module": (
        nn.Module,
        lambda m: {name: _copied(value) for name, value in m.state_dict().items()},
        lambda m, s: m.load_state_dict(s),
    ),
    "optimizer": (torch.optim.Optimizer, lambda o: _copied(o.state_dict()), load_inner_optimizer),
    "shared": (SynchronizedBase, lambda v: v.value if hasattr(v, "value") else v[:], _put_shared),
    "python": (random.Random, lambda g: g.getstate(), lambda g, s: g.setstate(s)),
    "state_dict": (
        None,
        lambda owner: copy.deepcopy(owner.state_dict()),
        lambda owner, s: owner.load_state_dict(s),
    ),
}
"""What keeps a state of its own: its class, how the state is read, and how it is put back."""


def _put_into(value: Any, kept: Mapping[str, Any]) -> bool:
    """Put a state back where it was, if the object can take it."""
    kind, state = kept["kind"], kept["state"]
    if kind in _KINDS:
        _KINDS[kind][2](value, state)
    elif isinstance(value, Tensor):
        if not isinstance(state, Tensor) or value.shape != state.shape:
            return False
        with torch.no_grad():
            value.copy_(state)
    elif isinstance(value, list | deque | dict | set) and (
        isinstance(value, deque if "maxlen" in kept else type(state))
    ):
        value.clear()
        (value.update if isinstance(value, dict | set) else value.extend)(_placed(kept))
    else:
        return False
    return True


def _placed(kept: Mapping[str, Any]) -> Any:
    """A state with its tensors on the device, if they were there."""
    state = kept["state"]
    return moved(state, lambda one: one.to(get_device())) if kept.get("on_device") else state


def _made_of(kept: Mapping[str, Any]) -> Any:
    """The object that a state is of, for a place that has none yet."""
    kind, state = kept["kind"], kept["state"]
    if kind == "value":
        return deque(_placed(kept), kept["maxlen"]) if "maxlen" in kept else _placed(kept)
    if kind == "numpy":
        return _made(np.random.Generator, state)
    if kind == "numpy's legacy":
        return _made(np.random.RandomState, state)
    if kind == "bits":
        return _made(lambda bits: bits, state)
    made: Any = torch.Generator() if kind == "torch" else random.Random()
    _KINDS[kind][2](made, state)
    return made
