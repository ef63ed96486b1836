"""Decorators for arguments and functions that have a successor."""

from __future__ import annotations

import functools
import inspect
import textwrap
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from mainspring.errors import ArgumentTypeError

__all__ = ["deprecated_api_warning", "deprecated_function"]

P = ParamSpec("P")
R = TypeVar("R")


def deprecated_api_warning(
    name_dict: dict[str, str], cls_name: str | None = None
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A decorator that accepts old names of arguments, warns and passes them on under the new.

    Args:
        name_dict: Old name to new name.
        cls_name: Name of the class, for the warning about a method.
    """

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        shown = function.__name__ if cls_name is None else f"{cls_name}.{function.__name__}"
        positional = inspect.getfullargspec(function).args

        def warn_about(old: str, new: str) -> None:
            text = f'"{old}" is deprecated in `{shown}`, please use "{new}" instead'
            warnings.warn(text, DeprecationWarning, stacklevel=3)

        @functools.wraps(function)
        def renamed(*args: object, **kwargs: object) -> R:
            for old, new in name_dict.items():
                if old in positional[: len(args)]:
                    warn_about(old, new)
                if old in kwargs:
                    if new in kwargs:
                        raise ArgumentTypeError(
                            f"{shown}() got {new!r} and also {old!r}, its deprecated name"
                        )
                    warn_about(old, new)
                    kwargs[new] = kwargs.pop(old)
            return function(*args, **kwargs)

        return renamed

    return decorate


def deprecated_function(
    since: str, removed_in: str, instructions: str
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that warns at every call and says so in the docstring.

    Args:
        since: Version from which the function is deprecated.
        removed_in: Version that will no longer have it.
        instructions: What to do instead, in the imperative.
    """

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def warned(*args: P.args, **kwargs: P.kwargs) -> R:
            warnings.warn(
                f"'{function.__module__}.{function.__name__}' is deprecated in version {since} "
                f"and will be removed in version {removed_in}. Please {instructions}.",
                DeprecationWarning,
                stacklevel=2,
            )
            return function(*args, **kwargs)

        note = (
            f".. deprecated:: {since}\n"
            f"    Deprecated and will be removed in version {removed_in}.\n"
            f"    Please {instructions}.\n"
        )
        text = function.__doc__ or ""
        last_line = "\n" if text.rstrip(" ").endswith("\n") else ""
        documented = textwrap.indent(inspect.cleandoc(text) + last_line, "    ")
        warned.__doc__ = f"{note}\n\n{documented}"
        return warned

    return decorate
