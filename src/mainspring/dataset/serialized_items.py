"""A list of items as two arrays, which worker processes share instead of copying it."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["pack", "select", "unpack"]

Bytes = NDArray[np.uint8]
Addresses = NDArray[np.int64]


def pack(items: Iterable[Any]) -> tuple[Bytes, Addresses]:
    """Pickle items into one array.

    A forked worker that reads a Python object writes its reference count, and so copies the page;
    a list of dicts is copied whole in the end. One array has one count.

    Args:
        items: The items, all of which pickle can write.

    Returns:
        All pickled items as bytes, and where each of them ends.
    """
    pickled = [np.frombuffer(pickle.dumps(item, protocol=4), dtype=np.uint8) for item in items]
    return _joined(pickled)


def unpack(data: Bytes, ends: Addresses, index: int) -> Any:
    """One item, a new object each time.

    Args:
        data: The bytes that `pack` gave.
        ends: The addresses that `pack` gave.
        index: Index of the item; a negative one counts from the end.

    Raises:
        IndexError: There is no such item.
    """
    end = int(ends[index])
    begin = 0 if index in (0, -len(ends)) else int(ends[index - 1])
    return pickle.loads(data[begin:end].data)


def select(data: Bytes, ends: Addresses, indices: Iterable[int]) -> tuple[Bytes, Addresses]:
    """Some of the items, packed alike.

    Args:
        data: The bytes that `pack` gave.
        ends: The addresses that `pack` gave.
        indices: Which items, none of them negative.
    """
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    return _joined([data[starts[index] : ends[index]] for index in indices])


def _joined(parts: list[Bytes]) -> tuple[Bytes, Addresses]:
    ends = np.cumsum(np.asarray([len(part) for part in parts], dtype=np.int64))
    return (np.concatenate(parts) if parts else np.zeros(0, dtype=np.uint8)), ends
