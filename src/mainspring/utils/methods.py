"""Questions about the methods of classes and objects."""

from __future__ import annotations

from mainspring.errors import ArgumentTypeError

__all__ = ["has_method", "is_method_overridden"]


def is_method_overridden(method: str, base_class: type, derived_class: type | object) -> bool:
    """Whether a derived class has its own version of a base class's method.

    Args:
        method: Name of the method.
        base_class: Class that defines it first.
        derived_class: Derived class, or an instance of it.
    """
    if not isinstance(base_class, type):
        raise ArgumentTypeError(f"base_class must be a class, but is the instance {base_class!r}")
    owner = derived_class if isinstance(derived_class, type) else type(derived_class)
    return bool(getattr(owner, method) != getattr(base_class, method))


def has_method(obj: object, method: str) -> bool:
    """Whether an object has a callable attribute of this name."""
    return callable(getattr(obj, method, None))
