"""Random numbers that belong to an item of the data, whoever loads it and when.

Before an item is loaded, Python's, NumPy's and torch's CPU generators are seeded from the seed of
the run, the epoch and the index of the item. What a transform draws then does not depend on
workers, prefetching, ranks or interruptions. A generator of the data set's own, and CUDA's, are not
touched.
"""

from __future__ import annotations

import operator
import zlib
from typing import Any

from torch.utils.data import Subset, TensorDataset

__all__ = ["draws_nothing", "mix", "word_of"]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def mix(state: int, word: int) -> int:
    """Take a number into a 64-bit state so that every bit of it changes half of the state's.

    The step of SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number
    generators", 2014).

    Args:
        state: What was mixed so far; the first state is any number.
        word: The number to take in.

    Returns:
        The new state, at least 0 and below 2**64.
    """
    state = ((state ^ (word & _MASK)) + _GOLDEN) & _MASK
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & _MASK
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & _MASK
    return state ^ (state >> 31)


def word_of(index: Any) -> int:
    """A number for an index of any kind, the same in every process."""
    try:
        return operator.index(index)
    except TypeError:
        return zlib.crc32(repr(index).encode())


def draws_nothing(dataset: Any) -> bool:
    """Whether items are known to need no random numbers, so that seeding can be left out."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return type(dataset) is TensorDataset
