"""What a class or function takes, as far as its signature tells."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Never, NoReturn

__all__ = ["Callee", "Openness", "callee_of", "signature_of"]

Openness = Literal["closed", "ignores", "passes_on", "open"]

_KEYWORDS = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_NOTHING: tuple[Any, ...] = (Never, NoReturn, "Never", "NoReturn")


@dataclass(frozen=True, slots=True)
class Callee:
    """What a class or function takes.

    Attributes:
        name: Its name, for messages.
        parameters: The parameters that can be given by name.
        names: Names that are accepted, those included that go to base classes.
        required: Parameters without default, in order.
        first: The first parameter.
        openness: What becomes of an unknown name: ``"closed"`` refuses it, ``"ignores"`` warns of
            it, ``"passes_on"`` gives it to a base class that refuses it unless it is taken out
            before, ``"open"`` may take it.
    """

    name: str
    parameters: Mapping[str, inspect.Parameter]
    names: Collection[str]
    required: tuple[str, ...]
    first: str | None
    openness: Openness


def callee_of(target: Any) -> Callee | None:
    """What a class or function takes; ``None`` if it does not tell.

    Args:
        target: The class or function.
    """
    signature = unwrapped = signature_of(target)
    if hasattr(target.__init__ if inspect.isclass(target) else target, "__wrapped__"):
        unwrapped = signature_of(target, follow_wrapped=False)
    if signature is None or unwrapped is None:
        return None
    every = signature.parameters
    rest = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = {name: p for name, p in every.items() if p.kind in _KEYWORDS}
    needed = (name for name, p in every.items() if p.default is p.empty and p.kind not in rest)
    return Callee(
        getattr(target, "__name__", None) or type(target).__name__,
        parameters,
        {*parameters, *_accepted(target)},
        tuple(needed),
        next(iter(every), None),
        _openness(target, signature, unwrapped),
    )


def _accepted(target: Any) -> set[str]:
    """Names of the arguments that a target takes, those included that go to base classes."""
    names: set[str] = set()
    for base in target.__mro__ if inspect.isclass(target) else (target,):
        if inspect.isclass(base) and ("__init__" not in vars(base) or base is object):
            continue
        signature = signature_of(base)
        parameters = signature.parameters if signature is not None else {}
        names |= {name for name, parameter in parameters.items() if parameter.kind in _KEYWORDS}
        if signature is None or _rest(signature) is None:
            break
    return names


def signature_of(target: Any, *, follow_wrapped: bool = True) -> inspect.Signature | None:
    """The signature of a class or function; ``None`` if it does not tell.

    Args:
        target: The class or function.
        follow_wrapped: Whether that of what a decorator has wrapped counts.
    """
    try:
        return inspect.signature(target, follow_wrapped=follow_wrapped)
    except (TypeError, ValueError, AttributeError):
        return None


def _openness(target: Any, signature: inspect.Signature, unwrapped: inspect.Signature) -> Openness:
    rest = _rest(signature)
    if rest is None:
        # A decorator may rename arguments before the function proper sees them.
        return "closed" if _rest(unwrapped) is None else "open"
    if rest.annotation in _NOTHING:
        return "ignores"
    if not inspect.isclass(target):
        return "open"
    for base in target.__mro__[:-1]:
        if "__init__" in vars(base):
            own = signature_of(base)
            if own is None or base.__module__.startswith("torch.nn.modules.module"):
                return "open"
            if _rest(own) is None:
                return "passes_on"
    return "open"


def _rest(signature: inspect.Signature) -> inspect.Parameter | None:
    return next((p for p in signature.parameters.values() if p.kind is p.VAR_KEYWORD), None)
