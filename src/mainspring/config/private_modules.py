"""What a recorded config sees of the standard library: what is pure, and the environment."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from mainspring.config.recording import refuse
from mainspring.config.words import env, partial

__all__ = ["open_for_reading", "operating_system", "recording_functools"]

_NAMES = ("path", "sep", "linesep", "name", "curdir", "pardir", "fspath", "cpu_count", "PathLike")


class _Environment(Mapping[str, str]):
    """`os.environ`, for reading; the config remembers what it asked for."""

    def __getitem__(self, name: str) -> str:
        if name not in os.environ:
            raise KeyError(name)
        return env(name)

    def __iter__(self) -> Iterator[str]:
        return iter(os.environ)

    def __len__(self) -> int:
        return len(os.environ)

    def __setitem__(self, name: str, value: str) -> None:
        refuse(
            f"the config sets the environment variable {name}: reading a config has no effects",
            "set it in the shell, or in the program that reads the config",
        )

    def __delitem__(self, name: str) -> None:
        self[name] = ""


class _OperatingSystem(ModuleType):
    """`os` for configs: paths and the environment."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        refuse(
            f"os.{name} in a config: reading a config has no effects",
            "a config has os.path, os.environ and os.getenv; do the rest in a module",
        )


class _Functools(ModuleType):
    """`functools` whose `partial` of an imported name is recorded."""

    partial = staticmethod(partial)

    def __getattr__(self, name: str) -> Any:
        return getattr(functools, name)


def open_for_reading(file: Any, mode: str = "r", *args: Any, **kwargs: Any) -> Any:
    """`open` for configs, which write nothing.

    Args:
        file: As for `open`.
        mode: Likewise; for reading alone.
        *args: As for `open`.
        **kwargs: As for `open`.

    Raises:
        ConfigError: The file would be written.
    """
    if not set(mode).isdisjoint("wax+"):
        refuse(
            f"the config opens {str(file)!r} for writing: reading a config has no effects",
            "write the file in the program that reads the config",
        )
    return open(file, mode, *args, **kwargs)


def _getenv(key: str, default: Any = None) -> Any:
    return env(key) if key in os.environ else default


recording_functools = _Functools("functools")
operating_system = _OperatingSystem("os")
for _name in _NAMES:
    setattr(operating_system, _name, getattr(os, _name))
operating_system.environ = _Environment()  # type: ignore[attr-defined]  # - a module's own names
operating_system.getenv = _getenv  # type: ignore[attr-defined]  # - a module's own names
