"""Digests of the leaves of nested data, such as a batch."""

from __future__ import annotations

import dataclasses
import hashlib
import sys
from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import numpy as np
from torch import Tensor

from mainspring.utils.bit_digest import bit_digests

__all__ = ["named_leaves", "nested_digest", "nested_digests"]

_PLAIN = (str, bytes, int, float, complex, bool, type(None), np.generic)


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


def named_leaves(data: Any, name: str) -> Iterator[tuple[str, Any]]:
    """The leaves of nested data with their paths, in order.

    Args:
        data: Nested data.
        name: What paths begin with.
    """
    yield from _leaves(data, name, ())


def _leaves(data: Any, path: str, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(data, (Tensor, np.ndarray, *_PLAIN)):
        yield path, data
        return
    if id(data) in above:
        yield path, "itself"
        return
    above = (*above, id(data))
    children = _children(data, path)
    if children is None:
        yield path, type(data).__qualname__
        return
    empty = True
    for child_path, child in children:
        empty = False
        yield from _leaves(child, child_path, above)
    if empty:
        yield path, f"empty {type(data).__qualname__}"


def _children(data: Any, path: str) -> Iterator[tuple[str, Any]] | None:
    if isinstance(data, Mapping):
        return ((f"{path}.{key}", value) for key, value in data.items())
    if isinstance(data, AbstractSet):
        return ((f"{path}{{{item}}}", item) for item in sorted(data, key=repr))
    if isinstance(data, tuple) and (names := getattr(data, "_fields", None)) is not None:
        return ((f"{path}.{key}", getattr(data, key)) for key in names)
    if isinstance(data, list | tuple):
        return ((f"{path}[{index}]", value) for index, value in enumerate(data))
    if hasattr(data, "all_items"):
        return ((f"{path}.{key}", value) for key, value in data.all_items())
    if dataclasses.is_dataclass(data):
        fields = [field.name for field in dataclasses.fields(data)]
        return ((f"{path}.{key}", getattr(data, key)) for key in fields if hasattr(data, key))
    if hasattr(data, "__dict__") and not isinstance(data, type) and not callable(data):
        return ((f"{path}.{key}", value) for key, value in vars(data).items())
    return None


def _bytes_of(value: Any) -> bytes:
    if isinstance(value, np.ndarray | np.generic):
        array = np.asarray(value)
        described = f"{array.dtype.str} {array.shape} "
        if array.dtype.hasobject:
            return f"{described}{array.tolist()!r}".encode()
        return described.encode() + array.tobytes()
    if isinstance(value, bytes):
        return b"bytes " + value
    shown = value.hex() if isinstance(value, float) else repr(value)
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
