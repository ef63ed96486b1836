"""Values made of plain types, tensors and containers: what is in them, their copies and sizes."""

from __future__ import annotations

import copy
import sys
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Iterable, Iterator
from multiprocessing.sharedctypes import SynchronizedBase
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "PLAIN",
    "is_plain",
    "is_shared",
    "items_in",
    "keys_of",
    "moved",
    "parts_of",
    "size_of",
    "still_has",
    "tensors_in",
]

_DEEPEST = 50
"""Containers that lie deeper may be within themselves, as the parents of a tree's nodes are."""
PLAIN = frozenset((type(None), bool, int, float, complex, str, bytes))


def is_plain(value: Any, *, depth: int = 0, others: tuple[type, ...] = ()) -> bool:
    """Whether a value is made of nothing but plain types, so that it is one piece of state.

    Args:
        value: Any object.
        depth: How many containers it is in.
        others: Types that count as plain.
    """
    if type(value) in PLAIN or isinstance(value, np.generic):
        return True
    # Within others, containers of other classes could not be made again.
    if type(value) in (dict, OrderedDict, Counter) or (isinstance(value, dict) and not depth):
        if any(type(key) not in PLAIN for key in value):
            return False
        parts: Iterable[Any] = value.values()
    elif type(value) in (list, tuple, set) or (type(value) is deque and not depth):
        parts = value
    else:
        return isinstance(value, others)
    return PLAIN.issuperset(map(type, parts)) or (
        depth < _DEEPEST and all(is_plain(part, depth=depth + 1, others=others) for part in parts)
    )


def is_shared(value: Any) -> bool:
    """Whether a value is in memory that several processes look at."""
    of_torch: Any = value
    return isinstance(value, SynchronizedBase) or (
        isinstance(value, Tensor) and of_torch.is_shared()
    )


def parts_of(value: Any) -> list[Any]:
    """What a dict, list, tuple or deque holds; nothing for whatever else."""
    if isinstance(value, dict):
        return list(value.values())
    # A subclass may shuffle when it is iterated.
    kinds: tuple[Any, ...] = (list, tuple, deque)
    return next((list(kind.__iter__(value)) for kind in kinds if isinstance(value, kind)), [])


def items_in(value: Any, most: int) -> int:
    """How many items a container and those in it hold; counted until there are more than `most`."""
    count, seen, waiting = 0, set[int](), [value]
    while waiting and count <= most:
        one = waiting.pop()
        parts = [] if id(one) in seen else parts_of(one)
        seen.add(id(one))
        count += len(parts)
        waiting += [part for part in parts if type(part) not in PLAIN]
    return count


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors that a value is, or holds in containers."""
    if isinstance(value, Tensor):
        yield value
    for part in parts_of(value):
        yield from tensors_in(part)


def moved(value: Any, move: Callable[[Tensor], Tensor]) -> Any:
    """A copy of a value; a tensor that it holds in several places stays one.

    Args:
        value: A tensor, a plain value, or containers of both.
        move: Copies a tensor.
    """
    known = {id(tensor): tensor for tensor in tensors_in(value)}
    # What is known by its id is taken as copied already.
    return copy.deepcopy(value, {key: move(tensor) for key, tensor in known.items()})


def keys_of(value: Any) -> tuple[type, Any]:
    """The class of an object and, of a container, its keys or how many it holds."""
    if isinstance(value, dict):
        return type(value), frozenset(value)
    return type(value), len(value) if isinstance(value, list | tuple) else None


def still_has(value: Any, known: tuple[type, Any] | None) -> bool:
    """Whether a container is of the class that `keys_of` told of another one, and has its keys."""
    kind, keys = keys_of(value)
    return known is not None and known[0] is kind and bool(known[1] <= keys)


def size_of(value: Any) -> int:
    """Bytes; beyond any limit for tensors that cannot be compared: sparse, nested, meta, spread."""
    if isinstance(value, Tensor):
        is_plain = type(value) is Tensor and value.layout is torch.strided
        return value.nbytes if is_plain and not (value.is_meta or value.is_nested) else sys.maxsize
    if isinstance(value, np.ndarray):
        return value.nbytes
    return min(sum(map(size_of, parts_of(value))), sys.maxsize)
