"""What the structures raise."""

from __future__ import annotations

from mainspring.errors import MainspringError

__all__ = ["FieldIndexError", "FieldTypeError", "FieldValueError"]


class FieldTypeError(MainspringError, TypeError, AssertionError):
    """A field, or what selects from fields, has the wrong type."""


class FieldValueError(MainspringError, ValueError, AssertionError):
    """A field does not fit the others, or a selection its fields."""


class FieldIndexError(MainspringError, IndexError, AssertionError):
    """A selection reaches beyond what there is."""
