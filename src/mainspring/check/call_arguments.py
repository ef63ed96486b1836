"""Compare the arguments of a call with the signature of what it calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.check.annotations import (
    annotation_of,
    contradicts,
    literal_options,
    shown_annotation,
    shown_value,
    violates,
)
from mainspring.check.nearest import is_misspelling, nearest
from mainspring.check.problem import Severity
from mainspring.config.schema import ROLES, Role
from mainspring.errors import suggestion
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall
from mainspring.registry.signatures import Callee

__all__ = ["Call", "Mistake", "mistakes_of"]


@dataclass(frozen=True, slots=True)
class Call:
    """A call or dict, and what it calls.

    Attributes:
        spec: The call or dict.
        role: What it is in the run.
        target: What is called.
        arguments: Its arguments by name, not imported.
        built_alone: Whether it is built as it stands, so that nothing is added.
    """

    spec: dict[Any, Any]
    role: Role
    target: Any
    arguments: Mapping[Any, Any]
    built_alone: bool

    @property
    def names(self) -> list[str]:
        """The arguments that have names."""
        return [str(name) for name in self.arguments if name != POSITIONAL_KEY]

    @property
    def is_recorded(self) -> bool:
        """Whether it was written as a call."""
        return isinstance(self.spec, RecordedCall)


@dataclass(frozen=True, slots=True)
class Mistake:
    """What a signature refuses.

    Attributes:
        severity: ``"error"`` or ``"warning"``.
        message: What is wrong.
        argument: The argument that is wrong; ``None`` for the call as a whole.
        help: What to do.
        meant: The parameter whose name an unknown argument nearly has.
        only_checked: See `Problem.only_checked`.
    """

    severity: Severity
    message: str
    argument: str | None
    help: str | None
    meant: str | None = None
    only_checked: bool = False


def mistakes_of(call: Call, callee: Callee, target_of: Callable[[Any], Any]) -> Iterator[Mistake]:
    """What is wrong with a call.

    Args:
        call: The call.
        callee: What its target takes.
        target_of: Function from a recorded call to what it calls.
    """
    constructor = call.arguments.get("constructor")
    usual = (None, "DefaultOptimWrapperConstructor")
    if call.role is ROLES["optim_wrapper"] and constructor not in usual:
        return  # a constructor of the user's own reads the section
    unknown = list(_unknown(call, callee))
    yield from unknown
    later = call.role.called_later and not (call.built_alone and call.is_recorded)
    is_typed = dict.__contains__(call.spec, "type") or not call.role.untyped
    if call.built_alone and not later and is_typed and POSITIONAL_KEY not in call.arguments:
        meant = {mistake.meant for mistake in unknown}
        yield from _missing(call, callee, meant)
    if is_typed:
        yield from _of_wrong_type(call, callee, target_of)


def _unknown(call: Call, callee: Callee) -> Iterator[Mistake]:
    for name in call.names:
        if name in callee.names or name in call.role.extra:
            continue
        close = nearest(name, set(callee.names) - {*call.names, *call.role.supplied})
        slip = call.is_recorded or any(is_misspelling(name, other) for other in close)
        severity: Severity = "error" if close and slip else "warning"
        if callee.openness == "closed" and call.built_alone:
            severity = "error"
        elif callee.openness == "open":
            severity = "warning"  # what may be taken out before is judged by its likeness
            if not close:
                continue
        known = [item for item in callee.parameters if item not in call.role.supplied]
        message = f"{callee.name} has no parameter {name!r}"
        # A variant that misspells an argument has inherited the right one.
        alike = nearest(name, set(callee.names) - call.role.supplied)
        advice = suggestion(alike) or f"it has {', '.join(known) or 'none'}"
        meant = close[0] if close else None
        unsure = severity == "warning" and callee.openness in ("closed", "passes_on")
        yield Mistake(severity, message, name, advice, meant, only_checked=unsure)


def _missing(call: Call, callee: Callee, meant: Collection[str | None]) -> Iterator[Mistake]:
    given = {*call.names, *meant}
    missing = [name for name in callee.required if name not in given]
    if isinstance(call.spec, RecordedCall) and call.spec.is_late and callee.first in missing:
        missing.remove(callee.first)
    supplied = set(call.role.supplied)
    if call.role is ROLES["optimizer"] and callee.first is not None:
        supplied.add(callee.first)
    needed = [name for name in missing if name not in supplied]
    later = f"write later({callee.name})(...)"
    if needed:
        may_be_added = not call.role.certain and needed == [callee.first]
        message = f"{callee.name} also needs {', '.join(map(repr, needed))}"
        advice = f"give it; if it is added later, {later}" if may_be_added else None
        yield Mistake("error", message, None, advice)
    elif call.is_recorded and missing == [callee.first]:
        message = f"{callee.name} is called without {missing[0]!r}, which is added later"
        yield Mistake("warning", message, None, later)


def _of_wrong_type(
    call: Call, callee: Callee, target_of: Callable[[Any], Any]
) -> Iterator[Mistake]:
    for name in call.names:
        parameter = callee.parameters.get(name)
        value = call.arguments.get(name)
        if parameter is None or (value is None and parameter.default is None):
            continue
        annotation = annotation_of(call.target, parameter)
        if not violates(value, annotation, target_of):
            continue
        options = [item for item in literal_options(annotation) if isinstance(item, str)]
        built = call.built_alone or call.is_recorded
        holds = _is_checked(call.target) or contradicts(value, annotation, target_of)
        severity: Severity = "error" if built and holds else "warning"
        takes = f"{callee.name} takes {shown_annotation(annotation)}"
        message = f"{name} is {shown_value(value)}, but {takes}"
        advice = suggestion(nearest(value, options)) if isinstance(value, str) else None
        yield Mistake(severity, message, name, advice, only_checked=not holds)


def _is_checked(target: Any) -> bool:
    """Whether a type checker sees to it that the annotations of a class or function are right."""
    package = str(getattr(target, "__module__", "")).partition(".")[0]
    return package in ("mainspring", "torch") or package in sys.stdlib_module_names
