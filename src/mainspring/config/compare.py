"""How two configs differ: by value, path by path."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from mainspring.config.dump import plain
from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node

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
        return path or ""


def differences(left: Mapping[Any, Any], right: Mapping[Any, Any]) -> Iterator[Difference]:
    """The paths at which two configs differ, in the order of the first.

    Classes are compared by name, so nothing is imported. Items of lists are matched with each other
    before they are compared, so that an insertion is one difference.

    Args:
        left: The first config.
        right: The second config.
    """
    return _of_dicts(left, right, "", "")


def _of(left: Any, right: Any, left_path: str, right_path: str) -> Iterator[Difference]:
    if isinstance(left, dict) and isinstance(right, dict):
        yield from _of_dicts(left, right, f"{left_path}.", f"{right_path}.")
    elif isinstance(left, list) and isinstance(right, list):
        yield from _of_lists(left, right, left_path, right_path)
    elif isinstance(left, tuple) and isinstance(right, tuple) and len(left) == len(right):
        if any(isinstance(item, dict | list | tuple) for item in (*left, *right)):
            yield from _of_lists(left, right, left_path, right_path)
        elif _key(left) != _key(right):
            yield Difference("changed", left_path, right_path, left, right)
    elif _key(left) != _key(right):
        yield Difference("changed", left_path, right_path, left, right)


def _of_dicts(
    left: Mapping[Any, Any], right: Mapping[Any, Any], left_prefix: str, right_prefix: str
) -> Iterator[Difference]:
    left, right = _items(left), _items(right)
    for key, value in left.items():
        if key in right:
            yield from _of(value, right[key], f"{left_prefix}{key}", f"{right_prefix}{key}")
        else:
            yield Difference("removed", f"{left_prefix}{key}", None, left=value)
    for key, value in right.items():
        if key not in left:
            yield Difference("added", None, f"{right_prefix}{key}", right=value)


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


def _of_lists(
    left: Sequence[Any], right: Sequence[Any], left_path: str, right_path: str
) -> Iterator[Difference]:
    same = SequenceMatcher(None, [_key(x) for x in left], [_key(x) for x in right], autojunk=False)
    for word, start, stop, other_start, other_stop in same.get_opcodes():
        if word == "equal":
            continue
        yield from _of_blocks(
            list(enumerate(left))[start:stop],
            list(enumerate(right))[other_start:other_stop],
            left_path,
            right_path,
        )


def _of_blocks(
    left: list[tuple[int, Any]],
    right: list[tuple[int, Any]],
    left_path: str,
    right_path: str,
) -> Iterator[Difference]:
    """The differences of items none of which are equal: those of one type belong together."""
    kinds = [_kind(item) for _, item in left]
    other_kinds = [_kind(item) for _, item in right]
    pairs = SequenceMatcher(None, kinds, other_kinds, autojunk=False)
    for word, start, stop, other_start, other_stop in pairs.get_opcodes():
        gone, new = left[start:stop], right[other_start:other_stop]
        if word == "equal":
            for (index, item), (other_index, other) in zip(gone, new, strict=True):
                here, there = f"{left_path}.{index}", f"{right_path}.{other_index}"
                yield from _of(item, other, here, there)
        else:
            for index, item in gone:
                yield Difference("removed", f"{left_path}.{index}", None, left=item)
            for index, item in new:
                yield Difference("added", None, f"{right_path}.{index}", right=item)


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
