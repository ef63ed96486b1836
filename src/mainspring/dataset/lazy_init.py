"""Data sets that read their annotations only when somebody needs them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec, TypeVar

from mainspring.logging import warn

__all__ = ["force_full_init", "init_for_item"]

P = ParamSpec("P")
R = TypeVar("R")
DatasetT = TypeVar("DatasetT")


def force_full_init(
    old_func: Callable[Concatenate[DatasetT, P], R],
) -> Callable[Concatenate[DatasetT, P], R]:
    """Decorate a method that needs the annotations: they are read first, with a warning.

    Args:
        old_func: Method of a data set that has `full_init` and ``_fully_initialized``.

    Returns:
        The method; it raises `AttributeError` where the object has no ``full_init``.
    """

    @functools.wraps(old_func)
    def initialized_first(self: DatasetT, /, *args: P.args, **kwargs: P.kwargs) -> R:
        if not getattr(self, "_fully_initialized", False):
            _initialize(self, old_func.__name__)
        return old_func(self, *args, **kwargs)

    return initialized_first


def _initialize(dataset: Any, needed_by: str) -> None:
    name = type(dataset).__name__
    if not hasattr(dataset, "full_init"):
        raise AttributeError(f"{name} has no method full_init")
    warn(
        f"{name}.{needed_by} needs the annotations: calling full_init() now; with lazy_init=True, "
        "call it yourself when it suits"
    )
    dataset.full_init()
    dataset._fully_initialized = True


def init_for_item(dataset: Any) -> None:
    """Read the annotations since an item is asked for, with a warning; once only.

    Args:
        dataset: Has `full_init` and ``_fully_initialized``.
    """
    if not dataset._fully_initialized:
        warn(
            f"call full_init() of {type(dataset).__name__} beforehand, or every worker loads the "
            "annotations"
        )
        dataset.full_init()
