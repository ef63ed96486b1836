"""Random numbers that belong to an item of the data, whoever loads it and when.

Before an item is loaded, Python's, NumPy's and torch's generators are seeded from the seed of the
run, the epoch and the index. So what a transform draws does not depend on workers, prefetching,
ranks or interruptions. Where items are loaded in the main process, its own generators are put back
after each batch.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

__all__ = ["SeededCollate", "SeededItems", "item_seed", "seed_generators"]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15


def _mix(value: int) -> int:
    """A bijection of 64-bit numbers that spreads every bit over all others.

    The finaliser of Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014.
    """
    value = (value ^ (value >> 30)) * 0xBF58476D1CE4E5B9 & _MASK
    value = (value ^ (value >> 27)) * 0x94D049BB133111EB & _MASK
    return value ^ (value >> 31)


def item_seed(seed: int, epoch: int, index: Any) -> int:
    """The 64-bit seed of an item.

    Args:
        seed: Seed of the run.
        epoch: Epoch, counted from 0.
        index: Index of the item; of any type that a sampler gives.
    """
    number = index if isinstance(index, int) else zlib.crc32(repr(index).encode())
    mixed = _mix((seed + _GOLDEN) & _MASK)
    mixed = _mix((mixed + (epoch + 1) * _GOLDEN) & _MASK)
    return _mix((mixed + (number + 1) * _GOLDEN) & _MASK)


def seed_generators(seed: int) -> None:
    """Seed Python's, NumPy's and torch's CPU generators of this process with a 64-bit number."""
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)  # noqa: NPY002 - users' transforms draw from this one
    torch.default_generator.manual_seed(seed)


@contextmanager
def _generators_put_back() -> Iterator[None]:
    """In the main process, leave the generators as they were; a worker's belong to its items."""
    if get_worker_info() is not None:
        yield
        return
    python, numpy, tensor = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002 - as above
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002 - as above
        torch.set_rng_state(tensor)


class _SeededBatch(list[Any]):
    """Items of a batch, with the seed for what is drawn while they are put together."""

    __slots__ = ("seed",)
    seed: int


class SeededItems:
    """A map-style data set whose indices carry their epoch, as ``(epoch, index)``.

    Args:
        dataset: The data set.
        seed: Seed of the run.
    """

    def __init__(self, dataset: Any, seed: int) -> None:
        self.dataset = dataset
        self.seed = seed

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, tagged: tuple[int, Any]) -> Any:
        with _generators_put_back():
            return self._load(*tagged)

    def __getitems__(self, tagged: Sequence[tuple[int, Any]]) -> list[Any]:
        with _generators_put_back():
            batch = _SeededBatch(self._load(epoch, index) for epoch, index in tagged)
        batch.seed = item_seed(self.seed ^ _GOLDEN, *tagged[0]) if tagged else self.seed
        return batch

    def _load(self, epoch: int, index: Any) -> Any:
        seed_generators(item_seed(self.seed, epoch, index))
        try:
            return self.dataset[index]
        except Exception as error:
            worker = get_worker_info()
            where = "the main process" if worker is None else f"worker {worker.id}"
            error.add_note(
                f"while loading index {index} of {type(self.dataset).__name__} in {where}"
            )
            raise


class SeededCollate:
    """A collate function that draws random numbers of its batch.

    Args:
        collate_fn: The function.
    """

    def __init__(self, collate_fn: Callable[[Any], Any]) -> None:
        self.collate_fn = collate_fn

    def __call__(self, batch: Any) -> Any:
        seed = getattr(batch, "seed", None)
        if seed is None:
            return self.collate_fn(batch)
        with _generators_put_back():
            seed_generators(seed)
            return self.collate_fn(list(batch))
