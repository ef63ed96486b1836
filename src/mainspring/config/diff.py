"""How two configs differ: by value, path by path."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from mainspring.comparison import MISSING, pairs
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.printing.dump import plain
from mainspring.config.printing.sharing import first_places
from mainspring.errors import shown_path
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["Difference", "LateType", "differences"]


@dataclass(frozen=True, slots=True)
class Difference:
    """One path at which two configs differ.

    Attributes:
        kind: What happened from the first to the second.
        left_path: The path in the first; ``None`` for what is added.
        right_path: The path in the second; ``None`` for what is removed.
        left: The value in the first.
        right: The value in the second.
    """

    kind: Literal["changed", "added", "removed"]
    left_path: str | None
    right_path: str | None
    left: Any = None
    right: Any = None

    @property
    def path(self) -> str:
        """The path, in the second config if it is there."""
        path = self.left_path if self.right_path is None else self.right_path
        return shown_path(path or "")


def differences(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> Iterator[Difference]:
    """The paths at which two configs differ, in the order of the first.

    Classes are compared by name, so nothing is imported. Items of lists are matched with each other
    before they are compared, so that an insertion is one difference. A call that stands in several
    places of one config and is made for each place in the other is a difference of the last ones.

    Args:
        left: The first config.
        right: The second config.
    """
    found = list(_of_dicts(left, right, "", ""))
    yield from found
    one, other = first_places(left), first_places(right)
    for path in dict.fromkeys([*one, *other]):
        first, second = one.get(path, path), other.get(path, path)
        known = any(f"{path}.".startswith(f"{difference.path}.") for difference in found)
        if first != second and not known:
            yield Difference("changed", path, path, _same_as(first, path), _same_as(second, path))


def _same_as(first: str, path: str) -> str:
    return "a call of its own" if first == path else f"the same object as {first}"


def _of(left: Any, right: Any, left_path: str, right_path: str) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        yield from _of_dicts(left, right, f"{left_path}.", f"{right_path}.")
        return
    by_item = isinstance(left, list) and isinstance(right, list)
    if isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        by_item = any(isinstance(item, dict | list | tuple) for item in (*left, *right))
    if by_item:
        yield from _of_lists(left, right, left_path, right_path)  # pyright: ignore[reportArgumentType]
    elif _key(left) != _key(right):
        yield Difference("changed", left_path, right_path, left, right)


def _of_dicts(
    left: Mapping[Any, Any], right: Mapping[Any, Any], left_prefix: str, right_prefix: str
) -> Iterator[Difference]:
    if _by_position(left) != _by_position(right):
        left, right = _named(left), _named(right)
    for key, value, other in pairs(_items(left), _items(right)):
        here, there = f"{left_prefix}{key}", f"{right_prefix}{key}"
        if other is MISSING:
            yield Difference("removed", here, None, left=value)
        elif value is MISSING:
            yield Difference("added", None, there, right=other)
        else:
            yield from _of(value, other, here, there)


def _by_position(part: Any) -> int:
    """How many arguments a call gives by position."""
    return len(dict.get(part, POSITIONAL_KEY, ())) if isinstance(part, Node) else 0


def _named(part: Any) -> Any:
    """A call with its positional arguments by their names, for which what it calls is imported."""
    if not _by_position(part):
        return part
    named = part.copy()
    named.try_bind()
    return named


def _items(part: Mapping[Any, Any]) -> dict[Any, Any]:
    items = dict(dict.items(part)) if isinstance(part, dict) else dict(part)
    if isinstance(part, Node) and part.is_late:
        items["type"] = LateType(items["type"])
    return items


@dataclass(frozen=True, slots=True)
class LateType:
    """The type of a call whose first argument the runner adds.

    Attributes:
        target: What is called.
    """

    target: Any


_Items = Sequence[tuple[int, Any]]


def _of_lists(
    left: Sequence[Any], right: Sequence[Any], left_path: str, right_path: str
) -> Iterator[Difference]:
    """Items that are equal belong together, and of the others between them those of one type."""
    blocks = _blocks(list(enumerate(left)), list(enumerate(right)), _key)
    parts = [_blocks(gone, new, _kind) for is_same, gone, new in blocks if not is_same]
    for is_alike, gone, new in itertools.chain(*parts):
        if is_alike:
            for (index, item), (other_index, other) in zip(gone, new, strict=True):
                here, there = f"{left_path}.{index}", f"{right_path}.{other_index}"
                yield from _of(item, other, here, there)
        else:
            for index, item in gone:
                yield Difference("removed", f"{left_path}.{index}", None, left=item)
            for index, item in new:
                yield Difference("added", None, f"{right_path}.{index}", right=item)


def _blocks(
    left: _Items, right: _Items, key: Callable[[Any], Any]
) -> Iterator[tuple[bool, _Items, _Items]]:
    """Runs of numbered items, each with whether its keys are the same on both sides."""
    one, two = ([key(item) for _, item in side] for side in (left, right))
    matched = SequenceMatcher(None, one, two, autojunk=False)
    for word, start, stop, other, end in matched.get_opcodes():
        yield word == "equal", left[start:stop], right[other:end]


def _kind(item: Any) -> str:
    if isinstance(item, dict):
        return f"dict {_name(dict.get(item, 'type'))}"
    if isinstance(item, int | float) and not isinstance(item, bool):
        return "number"
    return type(item).__name__


def _key(value: Any) -> Any:
    """Something that is equal, and hashes equally, for values that are the same in a config."""
    if isinstance(value, dict):
        items = _items(value)
        return ("dict", frozenset((key, _key(item)) for key, item in items.items()))
    if isinstance(value, list | tuple):
        return (type(value).__name__, *(_key(item) for item in value))
    if isinstance(value, bool):
        return ("bool", value)
    if isinstance(value, float) and value != value:  # noqa: PLR0124 - NaN
        return "nan"
    if isinstance(value, int | float | complex):
        return value
    if isinstance(value, LateType):
        return ("later", _name(value.target))
    return ("name", _name(value))


def _name(value: Any) -> str:
    """The name of a class, whether it is imported, not imported yet, or written in a string."""
    if isinstance(value, LazyObject | LazyAttr):
        return _defined_name(dotted_path(value))
    if isinstance(value, str):
        return _defined_name(value)
    shown = plain(value)
    return shown if isinstance(shown, str) else f"{type(shown).__name__} {shown!r}"


def _defined_name(path: str) -> str:
    """The name by which a class was defined, where it is imported; else the path."""
    module, _, name = path.rpartition(".")
    found = getattr(sys.modules.get(module), name, None) if module else None
    return str(plain(found)) if isinstance(found, type) else path
