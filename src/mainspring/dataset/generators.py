"""The three global generators that transforms draw from, and which of them a data set needs.

Seeding a generator for every item, and putting it back after every batch, takes longer than loading
a small item. So a generator that the items are seen not to draw from is left alone, and looked at
again after each batch: if something did draw from it, the batch is loaded anew, with seeding.
"""

from __future__ import annotations

import ctypes
import random
import struct
from collections.abc import Callable
from functools import cache
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch.utils.data import get_worker_info

from mainspring.dataset.sample_rng import mix

__all__ = ["GeneratorUse"]

T = TypeVar("T")


class _Generator(Protocol):
    def seed(self, seed: int) -> None:
        """Seed it with a 64-bit number."""

    def state(self) -> Any:
        """Its state now."""

    def is_at(self, state: Any) -> bool:
        """Whether nothing was drawn since it had that state."""
        ...

    def put_back(self, state: Any) -> None:
        """Let it go on from that state."""


class _Python:
    def seed(self, seed: int) -> None:
        random.seed(seed)

    def state(self) -> Any:
        return random.getstate()

    def is_at(self, state: Any) -> bool:
        return bool(random.getstate() == state)

    def put_back(self, state: Any) -> None:
        random.setstate(state)


class _Torch:
    """torch's CPU generator; unlike `torch.manual_seed`, those of other devices are left alone."""

    def seed(self, seed: int) -> None:
        torch.default_generator.manual_seed(seed)

    def state(self) -> Any:
        return torch.default_generator.get_state()

    def is_at(self, state: Any) -> bool:
        return torch.equal(torch.default_generator.get_state(), state)

    def put_back(self, state: Any) -> None:
        torch.default_generator.set_state(state)


class _NumPy:
    """NumPy's legacy generator.

    Reading its state takes 30 us, so the state is remembered with the memory that it is kept in:
    that of the bit generator, and the normal number in store, which is not part of it.
    """

    _BYTES = 2500  # 624 words of the Mersenne twister and the position in them

    def __init__(self) -> None:
        self._memory: bytes | None = None
        self._state: Any = None

    def seed(self, seed: int) -> None:
        np.random.seed(seed >> 32)  # noqa: NPY002 - users' transforms draw from the global generator

    def state(self) -> Any:
        memory = self._read()
        if memory is None or memory != self._memory:
            self._state = np.random.get_state(legacy=False)  # noqa: NPY002 - as above
            self._memory = memory
        return self._state

    def is_at(self, state: Any) -> bool:
        if self._memory is not None and state is self._state:
            return self._read() == self._memory
        now = np.random.get_state(legacy=False)  # noqa: NPY002 - as above
        return _comparable(now) == _comparable(state)

    def put_back(self, state: Any) -> None:
        np.random.set_state(state)  # noqa: NPY002 - as above

    def _read(self) -> bytes | None:
        generator = np.random.get_bit_generator()  # type: ignore[attr-defined]  # - stubs lack it
        offset = _offset_of_stored_normal()
        if type(generator) is not np.random.MT19937 or offset is None:
            return None
        owner = np.random.get_state.__self__  # type: ignore[attr-defined]  # - a bound method
        flag_and_normal = ctypes.string_at(id(owner) + offset, 16)
        # Without the flag the number is what was left behind.
        stored = flag_and_normal if flag_and_normal[0] else b""
        return ctypes.string_at(generator.ctypes.state_address, self._BYTES) + stored


@cache
def _offset_of_stored_normal() -> int | None:
    """Where a `RandomState` keeps the second number of a pair of normal ones, and whether it does.

    Found by looking at one before and after it draws; ``None`` if that is not clear.
    """
    probe = np.random.RandomState(0)
    size = type(probe).__basicsize__
    before = ctypes.string_at(id(probe), size)
    probe.standard_normal()
    after = ctypes.string_at(id(probe), size)
    normal = struct.pack("d", probe.get_state(legacy=False)["gauss"])
    flag = after.find(normal) - 8
    found = after.count(normal) == 1 and flag >= 0
    is_flag = found and (before[flag], after[flag]) == (0, 1)
    return flag if is_flag else None


def _comparable(state: dict[str, Any]) -> tuple[Any, ...]:
    """A state of NumPy's generator without arrays, which have no single answer to ``==``."""
    inner = {k: bytes(v) if isinstance(v, np.ndarray) else v for k, v in state["state"].items()}
    return state["bit_generator"], inner, state["has_gauss"], state["gauss"]


_GENERATORS: dict[str, _Generator] = {"python": _Python(), "numpy": _NumPy(), "torch": _Torch()}


class GeneratorUse:
    """Which generators the items of a data set draw from, learnt from the first batch."""

    def __init__(self) -> None:
        self._drawn_from = set(_GENERATORS)
        self._found: set[str] = set()
        self._is_learning = True
        self._before_item: dict[str, Any] = {}

    def begin_item(self, base: int, word: int) -> None:
        """Seed what items draw from.

        Args:
            base: What the batch contributes to the seed.
            word: What the item contributes.
        """
        if not self._drawn_from:
            return
        seed = mix(base, word)
        for name in self._drawn_from:
            _GENERATORS[name].seed(seed)
        if self._is_learning:
            self._before_item = {name: g.state() for name, g in _GENERATORS.items()}

    def end_item(self) -> None:
        """Look at what the item drew from, while that is not known."""
        if self._is_learning:
            self._found |= _moved(self._before_item)

    def load_batch(self, load: Callable[[], T]) -> T:
        """Load a batch whose items are loaded between `begin_item` and `end_item`.

        In the main process, the generators are put back afterwards, whatever happens. Those of a
        worker belong to its items.

        Args:
            load: Loads the batch.
        """
        is_main = get_worker_info() is None
        watched = set(_GENERATORS) if is_main else set(_GENERATORS) - self._drawn_from
        states = {name: _GENERATORS[name].state() for name in watched}
        while True:
            seeded = set(self._drawn_from)
            try:
                batch = load()
            except BaseException:
                _put_back({name: states[name] for name in watched} if is_main else {})
                raise
            surprising = _moved({name: states[name] for name in watched - seeded})
            if not surprising:
                break
            self._drawn_from |= surprising
        if is_main:
            _put_back({name: states[name] for name in seeded})
        if self._is_learning:
            self._drawn_from, self._is_learning = self._found, False
        return batch


def _moved(states: dict[str, Any]) -> set[str]:
    return {name for name, state in states.items() if not _GENERATORS[name].is_at(state)}


def _put_back(states: dict[str, Any]) -> None:
    for name, state in states.items():
        _GENERATORS[name].put_back(state)
