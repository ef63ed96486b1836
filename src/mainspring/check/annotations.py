"""Whether a value that a config writes can be what an annotation says: simple annotations only.

Everything that is not certainly wrong passes: protocols, type variables, classes of a project, and
values that are no plain literals.
"""

from __future__ import annotations

import abc
import enum
import inspect
import sys
import types
import typing
from collections.abc import Collection, Iterable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from mainspring.comparison import in_short
from mainspring.names.kinds import is_part
from mainspring.registry.recorded import RecordedCall

__all__ = [
    "annotation_of",
    "contradicts",
    "literal_options",
    "shown_annotation",
    "shown_value",
    "violates",
]

_PLAIN = (bool, int, float, str, list, tuple, dict, type(None))
_WRITTEN: dict[Any, Any] = {int: int, float: int | float, complex: int | float, str: str}
"""What stands for a number or text in a config."""

_UNION = (Union, types.UnionType)
_MAPPINGS = (dict, Mapping, MutableMapping)
_SEQUENCES = (list, Sequence, MutableSequence, Iterable, Collection)
_UNKNOWN = object


def annotation_of(target: Any, parameter: inspect.Parameter) -> Any:
    """The annotation of a parameter as an object; `object` where it cannot be told.

    Args:
        target: The class or function that has the parameter.
        parameter: The parameter.
    """
    annotation = parameter.annotation
    if annotation is parameter.empty:
        return _UNKNOWN
    if not isinstance(annotation, str):
        return annotation
    function = target
    if inspect.isclass(target):
        function = target.__init__ if target.__init__ is not object.__init__ else target.__new__
    scope = getattr(inspect.unwrap(function), "__globals__", {})
    holder = types.SimpleNamespace(__annotations__={"value": annotation})
    try:
        return typing.get_type_hints(holder, globalns=scope)["value"]
    except Exception:  # noqa: BLE001 - evaluates what a project wrote: whatever it raises, it says nothing
        return _UNKNOWN


def violates(value: Any, annotation: Any, target_of: Any = None) -> bool:
    """Whether a value certainly is not what an annotation says.

    Args:
        value: The value in the config, not imported.
        annotation: The annotation.
        target_of: Function from a recorded call to what it calls, ``None`` if that is unknown.
    """
    origin = get_origin(annotation)
    if origin is Annotated:
        return violates(value, get_args(annotation)[0], target_of)
    if origin in _UNION:
        return all(violates(value, option, target_of) for option in get_args(annotation))
    if isinstance(value, RecordedCall):
        return _call_violates(value, annotation, target_of)
    if type(value) not in _PLAIN and not isinstance(value, dict):
        return False
    if annotation is None or annotation is type(None):
        return value is not None
    if origin is Literal:
        return not any(
            type(value) is type(choice) and value == choice for choice in get_args(annotation)
        )
    return _plain_violates(value, annotation, origin, target_of)


def contradicts(value: Any, annotation: Any, target_of: Any = None) -> bool:
    """Whether a value is not what an annotation says even where its author was careless.

    Projects write `dict` for a list of them, `float` for a pair, `int` for a fraction, and nobody
    checks it. So shapes and kinds of numbers are not compared: text for a number, for instance, is.

    Args:
        value: The value in the config, not imported.
        annotation: The annotation.
        target_of: Function from a recorded call to what it calls, ``None`` if that is unknown.
    """
    if isinstance(value, RecordedCall) or not isinstance(value, dict | list | tuple):
        return all(violates(value, option, target_of) for option in _leaves(annotation))
    if isinstance(value, dict):
        return False
    return any(contradicts(item, annotation, target_of) for item in value)


def _leaves(annotation: Any) -> Sequence[Any]:
    """What single values an annotation allows, whatever holds them."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in _UNION or origin is tuple or origin in _SEQUENCES or origin is Annotated:
        inner = arguments[:1] if origin is Annotated else arguments
        return [leaf for item in inner if item is not Ellipsis for leaf in _leaves(item)]
    return [float if annotation is int else _UNKNOWN if annotation in _SEQUENCES else annotation]


def _plain_violates(value: Any, annotation: Any, origin: Any, target_of: Any) -> bool:
    if annotation is bool:
        return not (isinstance(value, bool) or value in (0, 1))
    if annotation in _WRITTEN:
        whole = annotation is int and isinstance(value, float) and value.is_integer()  # 9e4
        return not (whole or isinstance(value, _WRITTEN[annotation]))
    if _is_tensor(annotation):
        return isinstance(value, str | dict) or value is None
    kind = annotation if origin is None else origin
    arguments = get_args(annotation)
    if kind in _MAPPINGS:
        return not isinstance(value, dict) or (
            len(arguments) == 2
            and any(violates(item, arguments[1], target_of) for item in dict.values(value))
        )
    if kind is tuple and arguments and arguments[-1] is not Ellipsis:
        if not isinstance(value, list | tuple) or len(value) != len(arguments):
            return True
        return any(violates(*pair, target_of) for pair in zip(value, arguments, strict=True))
    if kind is tuple or kind in _SEQUENCES:
        return _sequence_violates(value, kind, arguments[:1], target_of)
    return isinstance(value, int | float) and _is_made_of_no_number(kind)


def _is_made_of_no_number(kind: Any) -> bool:
    """Whether an annotation is a class of a project, of which a number is no object.

    Classes of the standard library, torch and numpy are passed over, because numbers often stand
    for their objects: devices, enumerations, fractions. So are protocols and classes that decide
    themselves what their objects are.
    """
    if not inspect.isclass(kind) or getattr(kind, "_is_protocol", False):
        return False
    usual: tuple[Any, ...] = (type.__instancecheck__, abc.ABCMeta.__instancecheck__)
    if (
        type(kind).__instancecheck__ not in usual
        or "__subclasshook__" in vars(kind)
        or issubclass(kind, int | float | enum.Enum)
    ):
        return False
    package = kind.__module__.partition(".")[0]
    if package in ("torch", "numpy"):
        return is_part(kind)
    return package not in sys.stdlib_module_names


def _sequence_violates(value: Any, kind: Any, item_kind: tuple[Any, ...], target_of: Any) -> bool:
    if isinstance(value, dict):
        # A dict may be iterated over; of its keys nothing is said here.
        return kind in (list, tuple, Sequence, MutableSequence)
    stands_for_item = isinstance(value, str) and kind not in (list, tuple)
    if not stands_for_item and not isinstance(value, list | tuple):
        return True
    items = [value] if stands_for_item else value
    return any(violates(item, option, target_of) for item in items for option in item_kind)


def _call_violates(call: RecordedCall, annotation: Any, target_of: Any) -> bool:
    """A call whose class is known is no number, text or list, unless it derives from one."""
    if annotation not in (bool, int, float, str, None, type(None)):
        return False
    if call.is_late:
        return True
    target = None if target_of is None else target_of(call)
    bases: Any = {float: (int, float), None: (), type(None): ()}.get(annotation, annotation)
    return inspect.isclass(target) and not issubclass(target, bases)


def _is_tensor(annotation: Any) -> bool:
    """Torch's tensor, beside which numbers are often allowed; nothing is imported to know it."""
    return (
        isinstance(annotation, type)
        and annotation.__name__ == "Tensor"
        and annotation.__module__.startswith("torch")
    )


def shown_annotation(annotation: Any) -> str:
    """An annotation as a person would write it.

    Args:
        annotation: The annotation.
    """
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin in _UNION:
        return " | ".join(map(shown_annotation, arguments))
    if annotation is type(None):
        return "None"
    if origin is Literal:
        return " | ".join(map(repr, arguments))
    if isinstance(annotation, type) and not arguments:
        return annotation.__name__
    text = str(annotation)
    for prefix in ("typing.", "collections.abc."):
        text = text.replace(prefix, "")
    return text


def shown_value(value: Any) -> str:
    """A value of a config in few characters.

    Args:
        value: The value.
    """
    if isinstance(value, dict):
        kind = dict.get(value, "type")
        return "a dict" if kind is None else f"{kind!s}(...)"
    if isinstance(value, list | tuple) and any(isinstance(item, dict) for item in value):
        return f"a {type(value).__name__}"
    return in_short(repr(value))


def literal_options(annotation: Any) -> Sequence[Any]:
    """The literal values that an annotation allows, if it is made of them."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    if get_origin(annotation) in _UNION:
        return [item for option in get_args(annotation) for item in literal_options(option)]
    return []
