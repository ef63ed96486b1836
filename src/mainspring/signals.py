"""Handlers of signals for the time of a block."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["handling"]


@contextmanager
def handling(numbers: Iterable[int], handler: Callable[[int, Any], None]) -> Iterator[None]:
    """Within the block, signals are answered in another way; behind it, as before.

    Args:
        numbers: The signals. Only the main thread may choose what answers them.
        handler: What answers them.
    """
    before = {number: signal.signal(number, handler) for number in numbers}
    try:
        yield
    finally:
        for number, former in before.items():
            # What was set from outside of Python is known to nobody, and cannot be set again.
            signal.signal(number, signal.SIG_DFL if former is None else former)
