"""Random numbers that belong to an item of the data, whoever loads it and when.

Before an item is loaded, Python's, NumPy's and torch's CPU generators are seeded from the seed of
the run, the epoch and the index of the item. What a transform draws then does not depend on
workers, prefetching, ranks or interruptions. CUDA's generators are not touched, and
generators of the data set's own only in workers, which have copies of them.
"""

from __future__ import annotations

import operator
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["ItemSeeds", "mix", "word_of"]

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
    mask = (1 << 64) - 1
    state = ((state ^ (word & mask)) + 0x9E3779B97F4A7C15) & mask
    state = ((state ^ (state >> 30)) * 0xBF58476D1CE4E5B9) & mask
    state = ((state ^ (state >> 27)) * 0x94D049BB133111EB) & mask
    return state ^ (state >> 31)


def word_of(index: Any) -> int:
    """A number for an index of any kind, the same in every process."""
    try:
        return operator.index(index)
    except TypeError:
        return zlib.crc32(repr(index).encode())


class ItemSeeds:
    """The seeds of the items of a batch, and of each the words that Mersenne twisters begin with.

    An item's seed is ``mix(mix(seed, stream), index)``. The words are SplitMix64's numbers from
    there on, the first 624 for one twister, the next for another: a counter-based generator, which
    NumPy computes for many items in one go. The twister gives them out, tempered, and computes its
    own once they are used up. Seeding it by its own method takes longer than loading a small item.

    Attributes:
        seeds: One number of 64 bits for each item.

    Args:
        seed: Seed of the run.
        streams: The stream of all items, or one for each.
        indices: The items.
    """

    __slots__ = ("_keys", "seeds")

    def __init__(self, seed: int, streams: int | Sequence[int], indices: Sequence[Any]) -> None:
        if isinstance(streams, int):
            bases: int | list[int] = mix(seed, streams)
        else:
            bases = [mix(seed, stream) for stream in streams]
        self._keys = _scrambled((np.array(bases, np.uint64) ^ _words_of(indices)) + _STEP)
        self.seeds: list[int] = self._keys.tolist()

    def words(self, twister: int) -> Iterator[memoryview]:
        """The 624 words of 32 bits, as bytes, that a twister begins with: item after item.

        Args:
            twister: Number of the twister.
        """
        counters = _COUNTERS + np.uint64(twister * _PAIRS * _GOLDEN % 2**64)
        for first in range(0, len(self._keys), _BLOCK):
            keys = self._keys[first : first + _BLOCK, None]
            block = _scrambled(keys + counters).data.cast("B")
            for begin in range(0, len(block), 8 * _PAIRS):
                yield block[begin : begin + 8 * _PAIRS]


_PAIRS = 312  # words of 32 bits come in pairs
_BLOCK = 64  # items whose words are computed at a time, to bound the memory
_STEP = np.uint64(_GOLDEN)
_COUNTERS = np.arange(1, _PAIRS + 1, dtype=np.uint64) * _STEP


def _scrambled(states: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """What `mix` makes of its sum, for all states at once and in place."""
    states ^= states >> np.uint64(30)
    states *= np.uint64(0xBF58476D1CE4E5B9)
    states ^= states >> np.uint64(27)
    states *= np.uint64(0x94D049BB133111EB)
    states ^= states >> np.uint64(31)
    return states


def _words_of(indices: Sequence[Any]) -> NDArray[np.uint64]:
    """`word_of` of each."""
    try:
        numbers = np.asarray(indices)
    except Exception:  # noqa: BLE001 - indices of any kind, looked at one by one below
        numbers = np.empty(())
    if numbers.ndim == 1 and numbers.dtype == np.int64:
        return numbers.astype(np.uint64)
    return np.array([word_of(index) & 0xFFFFFFFFFFFFFFFF for index in indices], np.uint64)
