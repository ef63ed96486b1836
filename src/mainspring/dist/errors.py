"""What the dist package raises."""

from __future__ import annotations

from mainspring.errors import MainspringError

__all__ = ["CollectiveTypeError", "CollectiveValueError", "LaunchError"]


class CollectiveTypeError(MainspringError, TypeError, AssertionError):
    """A collective is given something that it cannot send."""


class CollectiveValueError(MainspringError, ValueError, AssertionError):
    """Arguments of a collective contradict each other."""


class LaunchError(MainspringError, RuntimeError, KeyError):
    """The environment does not tell what the launcher should have told."""

    __str__ = MainspringError.__str__
