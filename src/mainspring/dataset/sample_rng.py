"""Random numbers that belong to an item of the data, whoever loads it and when.

Before an item is loaded, Python's, NumPy's and torch's CPU generators are seeded from the seed of
the run, the epoch and the index of the item. What a transform draws then does not depend on
workers, prefetching, ranks or interruptions. A generator of the data set's own, and CUDA's, are not
touched.
"""

from __future__ import annotations

import operator
import random
import zlib
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset, TensorDataset

__all__ = ["GeneratorStates", "draws_nothing", "mix", "seed_generators", "word_of"]

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


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's CPU generator of this process.

    Args:
        seed: A 64-bit number. NumPy uses its upper half and torch's CPU generator its lower one.
    """
    random.seed(seed)
    np.random.seed(seed >> 32)  # noqa: NPY002 - users' transforms draw from the global generator
    # Unlike torch.manual_seed, this leaves the generators of other devices alone.
    torch.default_generator.manual_seed(seed)


class GeneratorStates:
    """States of this process's generators, to put back after items were loaded in it."""

    __slots__ = ("_numpy", "_python", "_torch")

    def __init__(self) -> None:
        self._python = random.getstate()
        self._numpy = np.random.get_state()  # noqa: NPY002 - users' code draws from it
        self._torch = torch.default_generator.get_state()

    def put_back(self) -> None:
        """Let the generators continue as if nothing had been drawn since."""
        random.setstate(self._python)
        np.random.set_state(self._numpy)  # noqa: NPY002 - see above
        torch.default_generator.set_state(self._torch)


def draws_nothing(dataset: Any) -> bool:
    """Whether items are known to need no random numbers, so that seeding can be left out."""
    while type(dataset) is Subset:
        dataset = dataset.dataset
    return type(dataset) is TensorDataset
