"""What makes a sampler for a loader: a class, or a partial call."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterable
from typing import Any

__all__ = ["call_factory", "is_factory"]


def is_factory(value: Any) -> bool:
    """Whether something makes a sampler rather than being one.

    Args:
        value: A sampler, or what makes it.
    """
    return callable(value) and not isinstance(value, Iterable)


def call_factory(
    factory: Any, arguments: dict[str, Any], optional: dict[str, Any], *positional: Any
) -> Any:
    """Call a factory with those optional arguments that it takes and was not given before.

    Args:
        factory: What makes a sampler.
        arguments: What it is called with.
        optional: What it is called with if it takes it.
        *positional: What it is called with by position.
    """
    given = factory.keywords if isinstance(factory, functools.partial) else {}
    accepted = inspect.signature(factory).parameters
    extra = {k: v for k, v in optional.items() if k in accepted and k not in given}
    return factory(*positional, **arguments, **extra)
