"""Decorators that check what a function needs before it is called."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Callable
from importlib import import_module
from typing import ParamSpec, TypeVar

__all__ = ["check_prerequisites", "requires_executable", "requires_package"]

P = ParamSpec("P")
R = TypeVar("R")

_MESSAGE = (
    'Prerequisites "{}" are required in method "{}" but not found, please install them first.'
)


def check_prerequisites(
    prerequisites: str | list[str],
    checker: Callable[[str], bool],
    msg_tmpl: str = _MESSAGE,
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that refuses a call while something is missing, and prints what.

    Args:
        prerequisites: What is needed.
        checker: Says of one prerequisite whether it is there.
        msg_tmpl: Text of the error, with places for the missing ones and the function's name.

    Raises:
        RuntimeError: By the decorated function, when something is missing.
    """
    needed = [prerequisites] if isinstance(prerequisites, str) else list(prerequisites)

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @functools.wraps(function)
        def checked(*args: P.args, **kwargs: P.kwargs) -> R:
            missing = [item for item in needed if not checker(item)]
            if missing:
                message = msg_tmpl.format(", ".join(missing), function.__name__)
                print(message)
                raise RuntimeError(message)
            return function(*args, **kwargs)

        return checked

    return decorate


def requires_package(
    prerequisites: str | list[str],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that refuses a call while a Python package cannot be imported.

    Args:
        prerequisites: Names of modules.
    """
    return check_prerequisites(prerequisites, checker=_check_py_package)


def requires_executable(
    prerequisites: str | list[str],
) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A decorator that refuses a call while a program is not on the path.

    Args:
        prerequisites: Names of programs.
    """
    return check_prerequisites(prerequisites, checker=_check_executable)


def _check_executable(cmd: str) -> bool:
    return shutil.which(cmd) is not None


def _check_py_package(package: str) -> bool:
    try:
        import_module(package)
    except ImportError:
        return False
    return True
