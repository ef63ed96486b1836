"""Digests of the leaves of nested data, such as a batch."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from torch import Tensor

from mainspring.structures.bit_digest import bit_digests

__all__ = ["leaf_in_short", "named_leaves", "nested_digest", "nested_digests"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic)


class _Empty(str):
    """Stands for a container that holds nothing."""

    __slots__ = ()


def nested_digests(data: Any, name: str, most: int = 256) -> dict[str, str]:
    """Digests of tensors, arrays, numbers and strings in nested data, by their paths.

    Where there are more leaves than `most`, those below the same first key or index share a digest.

    Args:
        data: Dicts, sequences, data classes, data elements and other objects with attributes, in
            any depth. Of objects without attributes, only the type counts.
        name: What paths begin with.
        most: Leaves up to which each has a digest of its own.

    Returns:
        16 hexadecimal digits by path, such as ``batch.inputs`` or ``batch.labels[3]``.
    """
    leaves = list(named_leaves(data, name))
    tensors = [value for _, value in leaves if isinstance(value, Tensor)]
    of_tensors = iter(bit_digests(tensors))
    digests = {
        path: next(of_tensors) if isinstance(value, Tensor) else _digest(_bytes_of(value))
        for path, value in leaves
    }
    return digests if len(digests) <= most else _shared(digests, name)


def nested_digest(data: Any) -> str:
    """One digest of all leaves of nested data and of their paths.

    Args:
        data: Nested data, as `nested_digests` takes it.

    Returns:
        16 hexadecimal digits.
    """
    found = nested_digests(data, "", most=sys.maxsize)
    return _digest("\n".join(f"{path} {digest}" for path, digest in found.items()).encode())


def named_leaves(data: Any, name: str = "", *, dotted: bool = False) -> Iterator[tuple[str, Any]]:
    """The leaves of nested data with their paths, in order.

    Args:
        data: Nested data. Objects that give their bytes, such as images, are leaves.
        name: What paths begin with.
        dotted: Whether an index is written as ``.3``, not as ``[3]``, and empty containers are
            left out.
    """
    for path, leaf in _leaves(data, name, ".{}" if dotted else "[{}]", ()):
        if not (dotted and isinstance(leaf, _Empty)):
            yield path, leaf


def _leaves(data: Any, path: str, index: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if id(data) in above:
        yield path, "itself"
        return
    children = _children(data, index)
    if children is None:
        yield path, data
        return
    inside = list(children)
    if not inside:
        yield path, _Empty(f"empty {type(data).__qualname__}")
    for step, child in inside:
        yield from _leaves(child, path + step, index, (*above, id(data)))


def _children(data: Any, index: str) -> Iterable[tuple[str, Any]] | None:
    """What is inside of a container, with the step that leads there; ``None`` for a leaf."""
    named: Iterable[tuple[Any, Any]]
    if isinstance(data, np.ndarray) and data.dtype.hasobject:
        return ((index.format(number), item) for number, item in enumerate(data.reshape(-1)))
    if isinstance(data, (Tensor, type, *_PLAIN)) or hasattr(data, "tobytes"):
        return None
    if isinstance(data, AbstractSet):
        return ((f"{{{item}}}", item) for item in sorted(data, key=repr))
    if isinstance(data, Sequence) and not hasattr(data, "_fields"):
        return ((index.format(number), item) for number, item in enumerate(data))
    if isinstance(data, Mapping):
        named = data.items()
    elif isinstance(data, tuple):
        named = data._asdict().items()  # type: ignore[attr-defined]  # - a named tuple has it
    elif hasattr(data, "all_items"):
        named = data.all_items()  # pyright: ignore[reportAttributeAccessIssue]
    elif dataclasses.is_dataclass(data):
        names = [field.name for field in dataclasses.fields(data)]
        named = [(name, getattr(data, name)) for name in names if hasattr(data, name)]
    elif hasattr(data, "__dict__") and not callable(data):
        named = vars(data).items()
    else:
        return None
    return ((f".{key}", value) for key, value in named)


def leaf_in_short(leaf: Any) -> str | int | float | None:
    """A leaf as it is compared by people: numbers as they are, of everything large a digest.

    Args:
        leaf: What `named_leaves` gave.
    """
    if isinstance(leaf, np.generic) or (
        isinstance(leaf, Tensor) and leaf.dim() == 0 and not leaf.is_complex()
    ):
        leaf = leaf.item()
    if leaf is None or isinstance(leaf, int | float | str):
        return leaf
    if isinstance(leaf, Tensor | np.ndarray):
        kind = f"{str(leaf.dtype).removeprefix('torch.')} {tuple(leaf.shape)}"
        digest = bit_digests([leaf])[0] if isinstance(leaf, Tensor) else _digest(_bytes_of(leaf))
        return f"{kind} {digest}"
    if isinstance(leaf, bytes) or hasattr(leaf, "tobytes"):
        return f"{type(leaf).__name__} {_digest(_bytes_of(leaf))}"
    return _object_in_words(leaf)


def _object_in_words(value: Any) -> str:
    """What an object says about itself; its type alone, if that is where it lies in memory."""
    shown = repr(value)
    return type(value).__qualname__ if " at 0x" in shown else shown


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        return f"{array.dtype.str} {array.shape} ".encode() + array.tobytes()
    if isinstance(value, bytes) or hasattr(value, "tobytes"):
        content = value if isinstance(value, bytes) else value.tobytes()
        return f"{type(value).__name__} ".encode() + content
    shown = value.hex() if isinstance(value, float) else _object_in_words(value)
    return f"{type(value).__name__} {shown}".encode("utf-8", "surrogatepass")


def _digest(data: bytes) -> str:
    return hashlib.blake2b(data, digest_size=8).hexdigest()


def _shared(digests: dict[str, str], name: str) -> dict[str, str]:
    groups: dict[str, list[str]] = {}
    for path, digest in digests.items():
        rest = path[len(name) :]
        end = min((rest.find(mark, 1) for mark in ".[{" if rest.find(mark, 1) > 0), default=None)
        groups.setdefault(name + rest[:end], []).append(f"{path} {digest}")
    if len(groups) > len(digests) // 2:
        groups = {name: [line for lines in groups.values() for line in lines]}
    return {path: _digest("\n".join(lines).encode()) for path, lines in groups.items()}
