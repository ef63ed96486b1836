"""Where the Mersenne twisters of Python and NumPy keep their state, to read and set it in place.

Both hold 624 words and a position in them. Through their methods, reading that state or setting it
takes up to 30 us; in place it takes a fraction of one. NumPy publishes the address of its words.
Every other address is found out, and tried, on a generator made for that; where it is not clear,
there is no such access.
"""

from __future__ import annotations

import ctypes
import random
import struct
import sys
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from mainspring.fast import is_enabled

__all__ = ["TwisterMemory", "numpy_twister", "python_twister"]

_WORDS = 624
_WORD_BYTES = 4 * _WORDS
_NONE_USED_UP = struct.pack("=i", 0)
"""With it a twister gives out the words that it holds before it computes the next ones."""


class TwisterMemory:
    """The state of one Mersenne twister, in the memory where it lies.

    Args:
        address: Of 624 words and the position.
        begins_with_position: Whether the position lies before the words.
        owner: What the memory belongs to; kept alive.
    """

    __slots__ = ("_owner", "_position", "_whole", "_words")

    def __init__(self, address: int, begins_with_position: bool, owner: Any) -> None:
        self._owner = owner
        self._whole = _view(address, _WORD_BYTES + 4)
        words_at = 4 if begins_with_position else 0
        position_at = 0 if begins_with_position else _WORD_BYTES
        self._words = self._whole[words_at : words_at + _WORD_BYTES]
        self._position = self._whole[position_at : position_at + 4]

    def begin(self, words: memoryview) -> None:
        """Let the twister begin with these words.

        Args:
            words: The 2496 bytes of the words, in the order of this machine.
        """
        self._words[:] = words
        self._position[:] = _NONE_USED_UP

    def read(self) -> bytes:
        """A copy of the state."""
        return bytes(self._whole)

    def write(self, state: bytes) -> None:
        """Go on from a state that `read` gave."""
        self._whole[:] = state


def _view(address: int, size: int) -> memoryview:
    return memoryview((ctypes.c_char * size).from_address(address)).cast("B")


@cache
def python_twister() -> TwisterMemory | None:
    """The twister behind the functions of `random`, or ``None`` if it cannot be found."""
    owner = random.seed.__self__  # type: ignore[attr-defined]  # - the module's functions are methods
    offset = _offset_in_python()
    if type(owner) is not random.Random or offset is None or not is_enabled():
        return None
    return TwisterMemory(id(owner) + offset, True, owner)


def _offset_in_python() -> int | None:
    """Where a `random.Random` has its position and, behind it, its words."""
    if sys.implementation.name != "cpython":
        return None
    probe, expected = random.Random(1), random.Random(2)
    probe.random()
    expected.random()
    memory = ctypes.string_at(id(probe), random.Random.__basicsize__)
    offset = memory.find(_packed(probe))
    if offset < 0:
        return None
    TwisterMemory(id(probe) + offset, True, probe).write(_packed(expected))
    return offset if probe.getstate() == expected.getstate() else None


def _packed(generator: random.Random) -> bytes:
    *words, position = generator.getstate()[1]
    return struct.pack(f"=i{_WORDS}I", position, *words)


class NumPyTwister(TwisterMemory):
    """The twister of NumPy's legacy generator, and the normal number that it has in store.

    Args:
        generator: The bit generator.
        stored_normal: The flag whether there is such a number, and the number: 16 bytes.
    """

    __slots__ = ("_stored_normal",)

    def __init__(self, generator: np.random.MT19937, stored_normal: memoryview) -> None:
        address: Any = generator.ctypes.state_address
        super().__init__(address, False, generator)
        self._stored_normal = stored_normal

    def begin(self, words: memoryview) -> None:
        """Let the twister begin with these words, and forget the number in store."""
        super().begin(words)
        self._stored_normal[:4] = b"\0\0\0\0"

    def read(self) -> bytes:
        """A copy of the state; equal copies give equal numbers."""
        stored = bytes(self._stored_normal)
        # Without the flag the number is what was left behind.
        return super().read() + (stored if any(stored[:4]) else bytes(16))

    def write(self, state: bytes) -> None:
        """Go on from a state that `read` gave."""
        super().write(state[:-16])
        self._stored_normal[:] = state[-16:]


_get_bit_generator: Callable[[], Any] = np.random.get_bit_generator  # type: ignore[attr-defined]  # - stubs lack it


def numpy_twister() -> NumPyTwister | None:
    """The twister behind NumPy's legacy functions now, or ``None`` if it cannot be found."""
    generator = _get_bit_generator()
    is_usual = type(generator) is np.random.MT19937 and is_enabled()
    return _numpy_twister(generator) if is_usual else None


@cache
def _numpy_twister(generator: np.random.MT19937) -> NumPyTwister | None:
    offset = _offset_of_stored_normal()
    if offset is None:
        return None
    owner = np.random.get_state.__self__  # type: ignore[attr-defined]  # - a bound method
    return NumPyTwister(generator, _view(id(owner) + offset, 16))


@cache
def _offset_of_stored_normal() -> int | None:
    """Where a `RandomState` keeps the second number of a pair of normal ones, and whether it does.

    Found by looking at one before and after it draws, and tried by writing into it; ``None`` if
    that is not clear.
    """
    if sys.implementation.name != "cpython":
        return None
    probe = np.random.RandomState(0)
    size = type(probe).__basicsize__
    before = ctypes.string_at(id(probe), size)
    probe.standard_normal()
    after = ctypes.string_at(id(probe), size)
    normal = struct.pack("d", probe.get_state(legacy=False)["gauss"])
    flag = after.find(normal) - 8
    if after.count(normal) != 1 or flag < 0 or (before[flag], after[flag]) != (0, 1):
        return None
    _view(id(probe) + flag, 16)[:] = struct.pack("=ixxxxd", 1, 0.5)
    return flag if probe.standard_normal() == 0.5 else None
