"""The three global generators that transforms draw from: seeded, looked at and put back."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Protocol

import numpy as np
import torch

from mainspring.fast.twister_memory import numpy_twister, python_twister
from mainspring.rng.item_seeds import ItemSeeds

__all__ = [
    "GENERATORS",
    "GlobalGenerator",
    "drawn_since",
    "global_states",
    "put_back",
    "undone_draws",
]


class GlobalGenerator(Protocol):
    """A generator that belongs to the whole process."""

    def seeding(self, seeds: ItemSeeds) -> Iterator[None]:
        """Let it begin with the numbers of an item, and at each further step with the next one's.

        Args:
            seeds: Seeds of a batch.
        """
        ...

    def state(self) -> Any:
        """Its state now."""

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        ...

    def put_back(self, state: Any) -> None:
        """Let it go on from that state."""


class PythonGenerator:
    """The generator behind the functions of `random`."""

    _TWISTER = 0

    def seeding(self, seeds: ItemSeeds) -> Iterator[None]:
        """Let it begin with the numbers of one item after another."""
        twister = python_twister()
        for words in seeds.words(self._TWISTER):
            if twister is None:
                random.setstate((3, (*words.cast("I").tolist(), 0), None))
            else:
                twister.begin(words)
                _python.gauss_next = None
            yield

    def state(self) -> Any:
        """Its state now."""
        twister = python_twister()
        return random.getstate() if twister is None else (twister.read(), _python.gauss_next)

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        return bool(self.state() == state)

    def put_back(self, state: Any) -> None:
        """Let it go on from that state."""
        twister = python_twister()
        if twister is None:
            random.setstate(state)
            return
        twister.write(state[0])
        _python.gauss_next = state[1]


class NumPyGenerator:
    """NumPy's legacy generator."""

    _TWISTER = 1

    def seeding(self, seeds: ItemSeeds) -> Iterator[None]:
        """Let it begin with the numbers of one item after another."""
        twister = numpy_twister()
        generator = np.random.get_bit_generator()  # type: ignore[attr-defined]  # - stubs lack it
        if type(generator) is not np.random.MT19937:
            for seed in seeds.seeds:
                generator.state = type(generator)(seed).state
                yield
            return
        for words in seeds.words(self._TWISTER):
            if twister is None:
                state = ("MT19937", np.frombuffer(words, np.uint32), 0, 0, 0.0)
                np.random.set_state(state)  # noqa: NPY002 - users draw from it
            else:
                twister.begin(words)
            yield

    def state(self) -> Any:
        """Its state now."""
        twister = numpy_twister()
        if twister is not None:
            return twister.read()
        return np.random.get_state(legacy=False)  # noqa: NPY002 - users draw from it

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        now = self.state()
        if isinstance(now, bytes) or isinstance(state, bytes):
            return bool(now == state)
        return _comparable(now) == _comparable(state)

    def put_back(self, state: Any) -> None:
        """Let it go on from that state."""
        if isinstance(state, bytes):
            twister = numpy_twister()
            if twister is not None:
                twister.write(state)
        else:
            np.random.set_state(state)  # noqa: NPY002 - users draw from it


class TorchGenerator:
    """torch's CPU generator; unlike `torch.manual_seed`, those of other devices are left alone."""

    def seeding(self, seeds: ItemSeeds) -> Iterator[None]:
        """Let it begin with the numbers of one item after another."""
        for seed in seeds.seeds:
            torch.default_generator.manual_seed(seed)
            yield

    def state(self) -> Any:
        """Its state now."""
        return torch.default_generator.get_state()

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        return torch.equal(torch.default_generator.get_state(), state)

    def put_back(self, state: Any) -> None:
        """Let it go on from that state."""
        torch.default_generator.set_state(state)


_python: Any = random.seed.__self__  # type: ignore[attr-defined]  # - the module's functions are methods


def _comparable(state: dict[str, Any]) -> tuple[Any, ...]:
    """A state of NumPy's generator without arrays, which have no single answer to ``==``."""
    inner = {k: bytes(v) if isinstance(v, np.ndarray) else v for k, v in state["state"].items()}
    return state["bit_generator"], inner, state["has_gauss"], state["gauss"]


GENERATORS: dict[str, GlobalGenerator] = {
    "python": PythonGenerator(),
    "numpy": NumPyGenerator(),
    "torch": TorchGenerator(),
}


def global_states() -> dict[str, Any]:
    """The states of all of them now, by name."""
    return {name: generator.state() for name, generator in GENERATORS.items()}


def drawn_since(states: Mapping[str, Any]) -> list[str]:
    """Names of those that were drawn from since they had these states."""
    return [name for name, state in states.items() if not GENERATORS[name].is_at(state)]


def put_back(states: Mapping[str, Any]) -> None:
    """Let all of them go on from these states."""
    for name, state in states.items():
        GENERATORS[name].put_back(state)


@contextmanager
def undone_draws() -> Iterator[list[str]]:
    """A block behind which all of them go on from where they were before it.

    Yields:
        A list, which behind the block holds the names of those that were drawn from.
    """
    states, drawn = global_states(), list[str]()
    try:
        yield drawn
    finally:
        drawn += drawn_since(states)
        put_back(states)
