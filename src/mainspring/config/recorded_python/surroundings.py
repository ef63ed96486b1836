"""What a recorded config sees of Python, and what it may not do with it.

It sees what is pure, the environment, and careful builtins. Reading it has no effects: what Python
does to files, processes and connections, it announces to audit hooks, by whichever function a
config reached it. So it is the kind of an event that decides: what reads is allowed.
"""

from __future__ import annotations

import dataclasses
import functools
import inspect
import itertools
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from types import FrameType, ModuleType
from typing import Any

from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.recorded_python.recording import CONFIG_MODULE, is_recording, refuse
from mainspring.config.recorded_python.reference import EAGER
from mainspring.config.words import env, partial
from mainspring.registry.within import within

__all__ = [
    "ASKING",
    "UnsetVariableError",
    "asking_type",
    "operating_system",
    "recording_dataclasses",
    "recording_functools",
    "without_effects",
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
        asked = arguments[:2] if function in (isinstance, issubclass) else arguments[:1]
        several = (value if isinstance(value, tuple) else (value,) for value in asked)
        for one in itertools.chain(*several):
            if is_lazy(one) or (isinstance(one, Node) and function not in (getattr, hasattr)):
                shown = dotted_path(one) if is_lazy(one) else repr(one)
                refuse(f"{function.__name__}() of {shown}: the object is not there yet", instead)
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


_refused: ContextVar[bool] = ContextVar("mainspring_config_effects_refused", default=False)

_READING = frozenset(
    {
        *("compile", "exec", "import", "os.fwalk", "os.getxattr", "os.listdir"),
        *("os.listxattr", "os.scandir", "os.walk", "time.sleep"),
    }
)
_OUTWARD = frozenset({"builtins.breakpoint", "builtins.input"})
_INNER = (
    *("array.", "builtins.", "code.", "cpython.", "function.", "gc.", "glob.", "marshal."),
    *("object.", "pathlib.", "pdb.", "pickle.", "sys._", "sys.un"),
)
"""Events inside of the interpreter, and those of looking for files."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_TRUNC


def without_effects(refused: bool) -> AbstractContextManager[bool]:
    """Within the block a config file that is being read changes nothing outside of it.

    Args:
        refused: Whether effects are refused; false for files that may have them.
    """
    if refused:
        _listen()
    return within(_refused, refused)


@functools.cache
def _listen() -> None:
    """Begin to listen, which nothing can end; events outside of configs cost a look at a flag."""
    sys.addaudithook(_on_event)


def _on_event(event: str, arguments: tuple[Any, ...]) -> None:
    if not _refused.get() or not is_recording() or event in _READING:
        return
    if event == "open":
        flags = arguments[2]
        is_effect = isinstance(flags, int) and bool(flags & _WRITING)
    else:
        is_effect = event in _OUTWARD or not event.startswith(_INNER)
    if not is_effect:
        return
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_globals.get("__name__") != CONFIG_MODULE:
        if frame.f_code.co_filename.startswith("<frozen importlib"):
            return  # an import writes its bytecode
        frame = frame.f_back
    what = f"opens {arguments[0]!r} for writing" if event == "open" else f"does this: {event}"
    if event.startswith(("os.", "shutil.", "subprocess.", "socket.")) and arguments:
        what = f"does {event} of {arguments[0]!r:.80}"
    refuse(
        f"the config {what}: reading a config has no effects",
        "do it in a module, or in the program that reads the config",
    )
