"""Say in an error what was being built, from which spec, and which argument was wrong."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mainspring.errors import MainspringError, close_names, mark_user_mistake

__all__ = ["accepted_names", "describing_calls", "remembering_spec"]

_SPEC = "__mainspring_spec__"
_DESCRIBED = "__mainspring_described__"
_UNEXPECTED = re.compile(r"unexpected keyword argument '(\w+)'")
_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


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
    signature = _signature(target)
    shown = f"{_name(target)}{signature if signature is not None else '(...)'}"
    error.add_note(f"while building {shown}{_place(target)}")
    if not isinstance(error, TypeError):
        return
    unknown = _unknown(error, target, signature, arguments)
    missing = _missing(signature, arguments)
    if unknown or missing:
        mark_user_mistake(error)
    accepted = accepted_names(target)
    for key in unknown:
        close = close_names(key, accepted - set(arguments))
        hint = f"; did you mean {' or '.join(map(repr, close))}?" if close else ""
        error.add_note(f"{_name(target)} has no argument {key!r}{hint}")
    if missing:
        error.add_note(f"{_name(target)} also needs {', '.join(map(repr, missing))}")


def _unknown(
    error: TypeError, target: Any, signature: inspect.Signature | None, arguments: Mapping[str, Any]
) -> list[str]:
    """The arguments that the target, or a base class that gets the rest, does not take."""
    if signature is not None and not _takes_any_keyword(signature):
        return [key for key in arguments if not _takes(signature, key)]
    # The signature passes everything on, so only the error knows; a call deeper inside may have
    # failed in the same words about an argument that is not the spec's.
    named = _UNEXPECTED.search(str(error))
    if named is None or named[1] not in arguments or named[1] in accepted_names(target):
        return []
    return [named[1]]


def _missing(signature: inspect.Signature | None, arguments: Mapping[str, Any]) -> list[str]:
    if signature is None:
        return []
    return [
        name
        for name, parameter in signature.parameters.items()
        if parameter.kind in _KEYWORDS
        and parameter.default is parameter.empty
        and name not in arguments
    ]


def _takes(signature: inspect.Signature, key: str) -> bool:
    parameter = signature.parameters.get(key)
    return parameter is not None and parameter.kind in _KEYWORDS


def _takes_any_keyword(signature: inspect.Signature) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in signature.parameters.values())


def accepted_names(target: Any) -> set[str]:
    """Names of the arguments that a target takes, those that it passes to base classes included.

    Args:
        target: Class or function.
    """
    if not inspect.isclass(target):
        return _names(_signature(target))
    names: set[str] = set()
    for base in target.__mro__:
        if "__init__" not in vars(base) or base is object:
            continue
        signature = _signature(base)
        names |= _names(signature)
        if signature is None or not _takes_any_keyword(signature):
            break
    return names


def _names(signature: inspect.Signature | None) -> set[str]:
    if signature is None:
        return set()
    return {name for name in signature.parameters if _takes(signature, name)}


def _signature(target: Any) -> inspect.Signature | None:
    try:
        return inspect.signature(target)
    except (TypeError, ValueError):
        return None


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
