"""Say in an error what was being built, from which spec, and which argument was wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainspring.errors import MainspringError, did_you_mean, mark_user_mistake
from mainspring.registry.signatures import callee_of, signature_of

__all__ = ["describing_calls", "remembering_spec"]

_SPEC = "__mainspring_spec__"
_DESCRIBED = "__mainspring_described__"
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")


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
    callee, signature = callee_of(target), signature_of(target)
    shown = f"{_name(target)}{signature if signature is not None else '(...)'}"
    error.add_note(f"while building {shown}{_place(target)}")
    if not isinstance(error, TypeError):
        return
    takes = callee.parameters if callee is not None else {}
    accepted = set(callee.names) if callee is not None else set()
    unknown: list[str] = []
    if callee is not None and callee.openness == "closed":
        unknown = [key for key in arguments if key not in takes]
    else:
        # The signature passes everything on, so only the error knows; a call deeper inside may
        # have failed in the same words about an argument that is not the spec's.
        named = _UNEXPECTED.search(str(error))
        if named is not None and named[1] in arguments and named[1] not in accepted:
            unknown = [named[1]]
    missing = [
        name
        for name in (callee.required if callee is not None else ())
        if name in takes and name not in arguments
    ]
    if unknown or missing:
        mark_user_mistake(error)
    for key in unknown:
        hint = did_you_mean(key, accepted - set(arguments))
        wrong = f"{_name(target)} has no argument {key!r}"
        error.add_note(f"{wrong}; {hint}" if hint else wrong)
    if missing:
        error.add_note(f"{_name(target)} also needs {', '.join(map(repr, missing))}")


def _name(target: Any) -> str:
    return getattr(target, "__qualname__", None) or repr(target)


def _place(target: Any) -> str:
    try:
        file = inspect.getsourcefile(target)
        line = inspect.getsourcelines(target)[1]
    except (OSError, TypeError):
        return ""
    if file is None:
        return ""
    path = Path(file)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return f", defined at {shown}:{line}"
