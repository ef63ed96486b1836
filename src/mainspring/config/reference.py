"""Imported names in a recorded config: calling one records the call, using one as a value refuses.

A `Reference` stands for what an import statement names, a `ReferenceAttr` for an attribute of it.
Both are lazy objects; nothing is imported before somebody needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NoReturn, cast

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path
from mainspring.config.node import Node
from mainspring.config.recording import calling_place, is_recording, refuse
from mainspring.registry.recorded import RecordedName

__all__ = ["Reference", "ReferenceAttr"]

_EAGER = "import it within `with eager():` to have its value while the config is read"


_OWN_NAMES = frozenset(("build", "location", "module", "name", "source"))


class _Recording:
    """What an imported name does while the config file is executed."""

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN_NAMES and is_recording():
            return self.attribute_(name)  # `zoo.build(...)` means the one of `zoo`
        return super().__getattribute__(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name.endswith("_"):
            raise AttributeError(name)  # Python and printers ask for such names
        return self.attribute_(name)

    def attribute_(self, name: str) -> LazyAttr:
        """A reference to an attribute of what this one stands for."""
        return ReferenceAttr(name, cast("Reference", self), self.__dict__["location"])

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record a call."""
        if not is_recording():
            return super().__call__(*args, **kwargs)  # type: ignore[misc]  # - LazyObject refuses
        return Node(self, args, kwargs, where=calling_place())

    def __or__(self, other: Any) -> Any:
        return self._in_annotation("|", other)

    __ror__ = __or__

    def _in_annotation(self, operator: str, other: Any) -> Any:
        """`ResNet | None` in the signature of a function is an annotation, which nobody reads."""
        if not (other is None or isinstance(other, type | LazyObject | LazyAttr)):
            _refuse_value(self, f"the operator {operator}")
        return Any

    def __eq__(self, other: object) -> bool:
        if is_recording():
            _refuse_value(self, "a comparison")
        return super().__eq__(other)

    def __hash__(self) -> int:
        return super().__hash__()

    def __bool__(self) -> bool:
        if is_recording():
            _refuse_value(self, "a condition")
        return True

    def __iter__(self) -> Iterator[Any]:
        _refuse_value(self, "iteration")

    def __mro_entries__(self, bases: tuple[Any, ...]) -> NoReturn:
        _refuse_value(self, "a base class", "define the class in a module and import it")


class Reference(_Recording, LazyObject, RecordedName):
    """An imported name of a config file, see `mainspring.config.lazy.LazyObject`."""


class ReferenceAttr(_Recording, LazyAttr, RecordedName):
    """An attribute of an imported name, see `mainspring.config.lazy.LazyAttr`."""


def _refuse_value(value: Any, use: str, help: str = _EAGER) -> NoReturn:  # noqa: A002 - as in errors
    path = dotted_path(value)
    if not is_recording():
        raise TypeError(f"{path} is not imported yet, so it cannot be used in {use}")
    refuse(f"{path} is not imported while the config is read, so {use} cannot use its value", help)


def _refusing(use: str) -> Callable[..., NoReturn]:
    def method(self: Any, *_: Any) -> NoReturn:
        _refuse_value(self, use)

    return method


_REFLECTED = "add sub mul matmul truediv floordiv mod divmod pow lshift rshift and xor"
_REFUSED = {
    "arithmetic": f"{_REFLECTED} neg pos abs invert",
    "a comparison": "lt le gt ge",
    "an index": "getitem setitem delitem",
    "a test of membership": "contains",
    "len()": "len",
    "a number": "int float complex index round",
    "an f-string or format()": "format",
    "a with statement": "enter exit",
}

for _use, _names in _REFUSED.items():
    for _name in _names.split():
        setattr(_Recording, f"__{_name}__", _refusing(_use))
for _name in _REFLECTED.split():
    setattr(_Recording, f"__r{_name}__", _refusing("arithmetic"))
