"""Build the recorded calls inside of a spec's arguments before what they are arguments of.

``RetinaNet(backbone=ResNet(depth=50))`` means that `RetinaNet` gets a `ResNet`. Classes written for
specs want the description instead and build it themselves; their signatures tell.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from typing import Any

from mainspring.names import was_registered
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall, RecordedName
from mainspring.registry.signatures import signature_of

__all__ = ["with_parts_built"]

_SPEC = re.compile(
    r"\b(dict|Dict|Mapping|MutableMapping|ConfigDict|Config|\w*(Config|Multi)Type)\b"
)
_OUTER_MAPPING = re.compile(r"^(\w+\.)*(dict|Dict|Mapping|MutableMapping)\s*\[[^,]*,")
_UNSAID = ("", "Any", "typing.Any")


def with_parts_built(
    target: Any, arguments: Mapping[str, Any], build: Callable[[Any], Any]
) -> dict[str, Any]:
    """The arguments of a call with the recorded calls and names among them built.

    A parameter whose annotation names a dict or config type gets the description. One without
    annotation gets it if the class is registered, and the object if it is an ordinary class.

    Args:
        target: What is called.
        arguments: Its arguments by name; positional ones in a list under ``_args_``.
        build: Builds one recorded call.
    """
    if not any(_holds_call(value) for value in arguments.values()):
        return dict(arguments)
    signature = signature_of(target)
    parameters = signature.parameters if signature is not None else {}
    built = dict(arguments)
    for name, value in arguments.items():
        if name == POSITIONAL_KEY or not _wants_spec(target, parameters.get(name), value):
            built[name] = _built(value, build)
    return built


def _holds_call(value: Any) -> bool:
    if isinstance(value, RecordedCall | RecordedName):
        return True
    if isinstance(value, dict):
        return any(_holds_call(item) for pair in dict.items(value) for item in pair)
    return isinstance(value, list | tuple | set | frozenset) and any(
        _holds_call(item) for item in value
    )


def _built(value: Any, build: Callable[[Any], Any]) -> Any:
    if isinstance(value, RecordedCall):
        return build(value)
    if isinstance(value, RecordedName):
        return value.build()
    if isinstance(value, dict):
        if "type" in value:
            return value  # a dict that was written as one
        return {_built(key, build): _built(item, build) for key, item in value.items()}
    if type(value) in (list, tuple, set, frozenset):
        return type(value)(_built(item, build) for item in value)
    return value


def _wants_spec(target: Any, parameter: inspect.Parameter | None, value: Any) -> bool:
    written = "" if parameter is None else parameter.annotation
    if written is inspect.Parameter.empty:
        written = ""
    annotation = written.__name__ if isinstance(written, type) else str(written)
    if annotation.strip("'\"") in _UNSAID:
        return was_registered(target)  # such classes expect their parts as specs
    if isinstance(value, dict) and not isinstance(value, RecordedCall):
        # In `dict[str, Metric]` it is the values that count.
        annotation = _OUTER_MAPPING.sub("", annotation)
    return _SPEC.search(annotation) is not None or "Any" in annotation.replace("[", " ").split()
