"""Say in an error what was being built, from which spec, and which argument was wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainspring.errors import MainspringError, did_you_mean, mark_user_mistake
from mainspring.registry.signatures import Callee, callee_of, signature_of

__all__ = ["describing_calls", "remembering_spec"]

_SPEC = "__mainspring_spec__"
_DESCRIBED = "__mainspring_described__"
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_UNKNOWN = Callee("", {}, (), (), None, "open")
"""What may take anything, since nothing says what it takes."""


@contextmanager
def remembering_spec(spec: Any) -> Iterator[None]:
    """Leave in any error the spec that could not be built: the innermost one."""
    try:
        yield
    except Exception as error:
        if not hasattr(error, _SPEC):
            setattr(error, _SPEC, spec)
        raise


@contextmanager
def describing_calls(target: Any, arguments: Mapping[str, Any]) -> Iterator[None]:
    """Add to any error what was called; for wrong arguments also which, and what there is.

    The arguments are compared with the signature only after a failure, so a build that works pays
    nothing.

    Args:
        target: The class or function that is called.
        arguments: Its keyword arguments.
    """
    try:
        yield
    except Exception as error:
        described = hasattr(error, _DESCRIBED) or isinstance(error, MainspringError)
        if described and getattr(target, "__module__", "").startswith("mainspring."):
            raise  # what of ours stands around the mistake is nothing that the user wrote
        if described:
            error.add_note(f"while building {_name(target)}{_place(target)}")
        else:
            setattr(error, _DESCRIBED, True)
            _describe(error, target, arguments)
        raise


def _describe(error: Exception, target: Any, arguments: Mapping[str, Any]) -> None:
    callee, signature = callee_of(target) or _UNKNOWN, signature_of(target)
    shown = f"{_name(target)}{signature if signature is not None else '(...)'}"
    error.add_note(f"while building {shown}{_place(target)}")
    if not isinstance(error, TypeError):
        return
    if callee.openness == "closed":
        unknown = [key for key in arguments if key not in callee.parameters]
    else:
        # The signature passes everything on, so only the error knows; a call deeper inside may
        # have failed in the same words about an argument that is not the spec's.
        named = _UNEXPECTED.findall(str(error))[:1]
        unknown = [key for key in named if key in arguments and key not in callee.names]
    missing = [key for key in callee.required if key in callee.parameters and key not in arguments]
    if unknown or missing:
        mark_user_mistake(error)
    for key in unknown:
        hint = did_you_mean(key, set(callee.names) - set(arguments))
        wrong = f"{_name(target)} has no argument {key!r}"
        error.add_note(f"{wrong}; {hint}" if hint else wrong)
    if missing:
        error.add_note(f"{_name(target)} also needs {', '.join(map(repr, missing))}")


def _name(target: Any) -> str:
    return getattr(target, "__qualname__", None) or repr(target)


def _place(target: Any) -> str:
    try:
        path = Path(inspect.getsourcefile(target) or "")
        line = inspect.getsourcelines(target)[1]  # there are none without a file
    except (OSError, TypeError):
        return ""
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f", defined at {shown}:{line}"
