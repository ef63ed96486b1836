"""Build a recorded call that stands in several places once, as Python makes it once.

``shared = Linear(2, 2); model = Net(shared, shared)`` gives `Net` one layer twice. Within one
build, or within one run, each such call is made the first time that somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, TypeVar

from mainspring.registry.recorded import RecordedCall
from mainspring.registry.within import within
from mainspring.walk import items_of

__all__ = ["SharedParts", "building_apart", "building_together", "repeated_calls"]

T = TypeVar("T")

_active: ContextVar[SharedParts | None] = ContextVar("mainspring_shared_parts", default=None)


class SharedParts:
    """What was built of the recorded calls that stand in several places of a description.

    Args:
        description: Spec, list or dict of such.
    """

    def __init__(self, description: Any) -> None:
        self._calls = repeated_calls(description)
        self._built: dict[int, tuple[dict[str, int], Any]] = {}

    def active(self) -> AbstractContextManager[SharedParts]:
        """Within the block these are the parts that builds share."""
        return within(_active, self)

    def built(self, call: Any, added: Mapping[str, Any], build: Callable[[], T]) -> T:
        """What a call gives: built now, or before by a place that added the same to it.

        Args:
            call: The spec.
            added: Arguments that the place adds; a sampler belongs to one data set, for example.
            build: Builds it.
        """
        if id(call) not in self._calls or call.is_late:
            return build()
        context = {name: id(value) for name, value in added.items()}
        known = self._built.get(id(call))
        if known is not None and (not context or known[0] == context):
            made: T = known[1]
            return made
        made = build()
        self._built.setdefault(id(call), (context, made))
        return made


def building_together(description: Any) -> AbstractContextManager[SharedParts]:
    """The parts that the current build shares; new ones where a build begins.

    Args:
        description: What is built.
    """
    return within(_active, _active.get() or SharedParts(description))


def building_apart(apart: bool) -> AbstractContextManager[SharedParts | None]:
    """Within the block each build makes its own parts: a class got descriptions and builds them.

    Args:
        apart: False for a block that changes nothing.
    """
    return within(_active, None if apart else _active.get())


def repeated_calls(value: Any) -> dict[int, RecordedCall]:
    """The recorded calls that stand in several places, by their `id`.

    Args:
        value: Any value; its dicts, lists and tuples are searched.
    """
    seen: dict[int, RecordedCall] = {}
    repeated: dict[int, RecordedCall] = {}

    def visit(part: Any) -> None:
        if isinstance(part, RecordedCall):
            if id(part) in seen:
                repeated[id(part)] = part
                return
            seen[id(part)] = part
        for _, item in items_of(part):
            visit(item)

    visit(value)
    return repeated
