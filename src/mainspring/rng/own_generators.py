"""Generators that a data set keeps for itself.

A worker gets a copy of them, so that each draws the same numbers, and begins with them again in the
next epoch: in workers they are seeded for each item, as the global ones are.
"""

from __future__ import annotations

import copy
import pickle
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import nn

from mainspring.logging import warn
from mainspring.rng.item_seeds import ItemSeeds, mix

__all__ = ["OwnGenerator", "generators_in", "warn_of_copies", "with_generators_copied"]

_KINDS = (random.Random, np.random.Generator, np.random.RandomState, torch.Generator)
_PLAIN = (str, bytes, int, float, complex, type, torch.Tensor, np.ndarray, nn.Module)
_MOST = 10_000
_DEEPEST = 5


def generators_in(part: Any) -> list[Any]:
    """The generators that are found in the attributes of an object, and in what it holds.

    Args:
        part: A data set, sampler or transform.
    """
    found: list[Any] = []
    seen: set[int] = set()

    def look(value: Any, depth: int) -> None:
        if value is None or isinstance(value, _PLAIN) or id(value) in seen or len(seen) > _MOST:
            return
        seen.add(id(value))
        if isinstance(value, _KINDS):
            found.append(value)
        elif depth < _DEEPEST:
            for inner in _held_by(value):
                look(inner, depth + 1)

    look(part, 0)
    return found


def _held_by(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        yield from list(value.values())[:100]  # longer ones are data
    elif isinstance(value, list | tuple):
        yield from value[:100]
    else:
        yield from vars(value).values() if hasattr(value, "__dict__") else ()


def with_generators_copied(part: Any) -> Any:
    """The same object with copies of the generators that `generators_in` finds, all else shared.

    What leads to a generator is copied too, without what else it holds.

    Args:
        part: A data set, sampler or transform.
    """
    copies: dict[int, Any] = {id(one): copy.deepcopy(one) for one in generators_in(part)}

    def with_copies(value: Any, depth: int) -> Any:
        if id(value) in copies:
            return copies[id(value)]
        if value is None or isinstance(value, _PLAIN) or depth == _DEEPEST:
            return value
        held = list(_held_by(value))
        inner = [with_copies(each, depth + 1) for each in held]
        if all(new is old for new, old in zip(inner, held, strict=True)):
            return value
        if isinstance(value, tuple):
            copied: Any = type(value)((*inner, *value[len(inner) :]))
        else:
            copied = copies[id(value)] = copy.copy(value)
            if isinstance(value, list):
                copied[: len(inner)] = inner
            else:
                names = value if isinstance(value, dict) else vars(value)
                target = copied if isinstance(value, dict) else vars(copied)
                target.update(zip(list(names)[: len(inner)], inner, strict=True))
        return copied

    return with_copies(part, 0) if copies else part


def warn_of_copies(dataset: Any) -> None:
    """Say that the workers of a loader, which seeds no items, have copies of the same generators.

    Args:
        dataset: The data set.
    """
    kinds = sorted({type(generator).__name__ for generator in generators_in(dataset)})
    if kinds:
        warn(
            f"{type(dataset).__name__} keeps a generator of its own ({', '.join(kinds)}): every "
            "worker draws the same numbers from its copy, again in each epoch. Seed it in "
            "worker_init_fn, or draw from the global generators"
        )


class OwnGenerator:
    """One of them, as `mainspring.rng.global_generators.GlobalGenerator` describes it.

    Args:
        generator: The generator.
        number: Which of those of its data set it is.
    """

    def __init__(self, generator: Any, number: int) -> None:
        self._generator = generator
        self._number = number

    def seeding(self, seeds: ItemSeeds) -> Iterator[None]:
        """Let it begin with the numbers of one item after another."""
        generator = self._generator
        for seed in seeds.seeds:
            own = mix(seed, self._number)
            if isinstance(generator, np.random.Generator):
                bits = generator.bit_generator
                bits.state = type(bits)(own).state
            elif isinstance(generator, np.random.RandomState):
                generator.seed(own % 2**32)
            elif isinstance(generator, torch.Generator):
                generator.manual_seed(own)
            else:
                generator.seed(own)
            yield

    def state(self) -> Any:
        """Its state now."""
        generator = self._generator
        if isinstance(generator, np.random.Generator):
            return pickle.dumps(generator.bit_generator.state)
        if isinstance(generator, np.random.RandomState):
            return pickle.dumps(generator.get_state(legacy=False))
        if isinstance(generator, torch.Generator):
            return bytes(generator.get_state().numpy())
        return generator.getstate()

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        return bool(self.state() == state)
