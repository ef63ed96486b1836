"""Reading a config has no effects: whatever would change something outside of it is refused.

What Python does to files, processes and connections, it announces to audit hooks, by whichever
function a config reached it. So it is the kind of an event that decides: what reads is allowed.
"""

from __future__ import annotations

import functools
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from types import FrameType
from typing import Any

from mainspring.config.recording import CONFIG_MODULE, is_recording, refuse

__all__ = ["without_effects"]

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


@contextmanager
def without_effects(refused: bool) -> Iterator[None]:
    """Within the block a config file that is being read changes nothing outside of it.

    Args:
        refused: Whether effects are refused; false for files that may have them.
    """
    if refused:
        _listen()
    token = _refused.set(refused)
    try:
        yield
    finally:
        _refused.reset(token)


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
