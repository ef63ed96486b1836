"""What the device package raises."""

from __future__ import annotations

from mainspring.errors import MainspringError

__all__ = ["PrecisionError"]


class PrecisionError(MainspringError, ValueError, AssertionError):
    """A device cannot compute in the type that is asked for."""
