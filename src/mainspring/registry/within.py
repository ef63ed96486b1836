"""What holds within a block, in one thread or task."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

__all__ = ["within"]

T = TypeVar("T")


@contextmanager
def within(variable: ContextVar[Any], value: T) -> Iterator[T]:
    """Within the block a context variable has a value, which is also given to the block.

    Args:
        variable: The variable.
        value: Its value.
    """
    token = variable.set(value)
    try:
        yield value
    finally:
        variable.reset(token)
