"""What objects remember in their attributes: generators, counters, buffers that no state dict has.

Samplers, data sets and models of users seldom have a `state_dict` for all that their next step
depends on. What is found in them that can be read and put back goes into checkpoints; what cannot
is named.
"""

from __future__ import annotations

import math
import weakref
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from typing import Any

from mainspring.object_state.changes import MOST_BYTES, is_same, mark_of
from mainspring.object_state.containers import PLAIN, keys_of, size_of, tensors_in
from mainspring.object_state.kinds import KINDS, copied, kind_of, made_of, put_into
from mainspring.object_state.search import Places, Search, attributes_of

__all__ = ["InnerState", "Kept"]

Kept = dict[str, dict[str, Any]]
"""By path: what kind of state it is, and the state, in plain types and tensors."""


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
        self._places: Places | None = None
        self._made: dict[str, tuple[int, Callable[[], Any]]] = {}
        walk = self._walk()
        self._first = {path: mark_of(value) for path, (_, _, value) in walk.leaves.items()}
        self._places = {path: keys_of(value) for path, value in walk.holders.items()}
        self._first_long = walk.long

    def __len__(self) -> int:
        """Pieces of state at first."""
        return len(self._first)

    def _walk(self) -> Search:
        seen = {id(other) for other in self._elsewhere()}
        walk = Search(seen, self._most, self._places, self._names_elsewhere, self._has_own_modules)
        for name, owner in self._owners().items():
            walk.is_data = name in self._data
            if name in self._inside:
                walk.look_into(owner, name, attributes_of(owner), self._depth)
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
            kind = kind_of(value)
            is_told = kind in KINDS and kind != "module"
            changed = is_told or not (path in self._first and is_same(self._first[path], value))
            if changed or (all_of_it and size_of(value) <= MOST_BYTES):
                state = KINDS[kind].read(value) if kind in KINDS else copied(value)
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
        return [p for p, (_, _, value) in leaves if kind_of(value) in KINDS and not but(value)]

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
            is_back = state["kind"] == without
            with suppress(AttributeError, TypeError, ValueError, RuntimeError, LookupError):
                is_back = is_back or _put_back(walk, path, state)
            if not is_back:
                lost.append(path)
        return lost


def _put_back(walk: Search, path: str, state: Mapping[str, Any]) -> bool:
    """Put a state into the piece at a path, or a new piece there; whether that went well."""
    if path in walk.leaves and put_into(walk.leaves[path].value, state):
        return True
    if path in walk.unsaved:  # such as an iterator that is under way
        return False
    if path in walk.leaves:
        holder, key, _ = walk.leaves[path]
    else:
        key = state.get("key", path.rpartition(".")[2])
        above = path[: -len(f".{key}")]
        holder = walk.leaves[above].value if above in walk.leaves else walk.holders.get(above)
    made = made_of(state)
    if isinstance(holder, list) and key == len(holder):
        holder.append(made)
    elif isinstance(holder, dict | list):
        holder[key] = made
    else:
        setattr(holder, key, made)
    return True


def _weakly(value: Any) -> Callable[[], Any]:
    return weakref.ref(value) if type(value).__weakrefoffset__ else lambda: None
