"""What the logging package raises."""

from __future__ import annotations

from mainspring.errors import MainspringError

__all__ = ["ScalarError", "ScalarTypeError", "UnknownScalarError"]


class ScalarError(MainspringError, ValueError, AssertionError):
    """A value, count or name that does not fit what is recorded."""


class ScalarTypeError(MainspringError, TypeError, AssertionError):
    """Something that is no scalar, or no collection of scalars."""


class UnknownScalarError(MainspringError, KeyError):
    """A scalar or statistic of which nothing is known."""
