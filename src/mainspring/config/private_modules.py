"""What a recorded config sees of Python: what is pure, the environment, and careful builtins."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import os
import sys
from collections.abc import Iterator, Mapping
from types import FrameType, ModuleType
from typing import Any

from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.recording import CONFIG_MODULE, is_recording, refuse
from mainspring.config.reference import EAGER
from mainspring.config.words import env, partial

__all__ = [
    "ASKING",
    "UnsetVariableError",
    "asking_type",
    "operating_system",
    "recording_dataclasses",
    "recording_functools",
]

_NAMES = ("path", "sep", "linesep", "name", "curdir", "pardir", "fspath", "cpu_count", "PathLike")


class UnsetVariableError(KeyError):
    """A config asks ``os.environ`` for a variable that is not set."""

    def __str__(self) -> str:
        return f"the environment variable {self.args[0]} is not set"


class _Environment(Mapping[str, str]):
    """`os.environ`, for reading; the config remembers what it asked for."""

    def __getitem__(self, name: str) -> str:
        if name not in os.environ:
            raise UnsetVariableError(name)
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


class _Dataclasses(ModuleType):
    """`dataclasses`, which looks texts of annotations up in a module: that of a config is none."""

    @staticmethod
    def dataclass(decorated: Any = None, /, **options: Any) -> Any:
        """`dataclasses.dataclass` of a class of a config file."""

        def made(kind: Any) -> Any:
            frame: FrameType | None = sys._getframe(1)
            while frame is not None and frame.f_globals.get("__name__") != CONFIG_MODULE:
                frame = frame.f_back
            texts = inspect.get_annotations(kind)
            kind.__annotations__ = {name: _meant(text, frame) for name, text in texts.items()}
            return dataclasses.dataclass(kind, **options)

        return made if decorated is None else made(decorated)

    def __getattr__(self, name: str) -> Any:
        return getattr(dataclasses, name)


def _meant(annotation: Any, frame: FrameType | None) -> Any:
    """The value of an annotation; `Any` where it has none while a config is read."""
    if frame is None or not isinstance(annotation, str):
        return annotation
    try:
        return _meant(eval(annotation, frame.f_globals, frame.f_locals), frame)
    except Exception:  # noqa: BLE001 - an annotation may say anything
        return Any


def _getenv(key: str, default: Any = None) -> Any:
    return env(key) if key in os.environ else default


recording_dataclasses = _Dataclasses("dataclasses")
recording_functools = _Functools("functools")
operating_system = _OperatingSystem("os")
for _name in _NAMES:
    setattr(operating_system, _name, getattr(os, _name))
operating_system.environ = _Environment()  # type: ignore[attr-defined]  # - a module's own names
operating_system.getenv = _getenv  # type: ignore[attr-defined]  # - a module's own names


def _asking(function: Any, instead: str) -> Any:
    """A builtin that refuses to ask for what only the real object knows."""

    @functools.wraps(function, ("__name__", "__qualname__", "__doc__"), ())
    def ask(*arguments: Any, **named: Any) -> Any:
        if not arguments and function in (dir, vars):
            names = sys._getframe(1).f_locals  # of the file: here are those of this function
            return names if function is vars else sorted(names)
        if not is_recording():
            return function(*arguments, **named)
        if function is getattr and len(arguments) == 2:
            return getattr(*arguments)  # as with a dot
        for value in arguments[:2] if function in (isinstance, issubclass) else arguments[:1]:
            for one in value if isinstance(value, tuple) else (value,):
                named_one: Any = one
                if is_lazy(one) or (isinstance(one, Node) and function not in (getattr, hasattr)):
                    shown = dotted_path(named_one) if is_lazy(one) else repr(one)
                    refuse(
                        f"{function.__name__}() of {shown}: the object is not there yet",
                        instead,
                    )
        return function(*arguments, **named)

    return ask


ASKING = {
    function.__name__: _asking(function, instead)
    for function, instead in (
        *((one, "compare model.type with the imported name") for one in (isinstance, issubclass)),
        *((one, EAGER) for one in (callable, dir, getattr, hasattr, id, vars)),
    )
}
"""Builtins that would answer for what stands for an object."""

asking_type = _asking(type, f"compare model.type with the imported name, or {EAGER}")
