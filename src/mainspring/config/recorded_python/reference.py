"""Imported names in a recorded config: calling one records the call, using one as a value refuses.

A `Reference` stands for what an import statement names, a `ReferenceAttr` for an attribute of it.
Both are lazy objects; nothing is imported before somebody needs it.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any, NoReturn, Self, cast

from mainspring.config.lazy import LazyAttr, LazyObject, dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.config.printing.plain import LITERALS
from mainspring.config.recorded_python.recording import (
    ARITHMETIC,
    COMPARISONS,
    calling_place,
    give_operators,
    is_asked_by_config,
    is_recording,
    not_recording,
    refuse,
)
from mainspring.names import ForbiddenNameError, Origin, import_named, is_of_stdlib
from mainspring.registry.recorded import RecordedName

__all__ = ["EAGER", "Reference", "ReferenceAttr", "constant_or_name", "reference_to"]

EAGER = "import it within `with eager():` to have its value while the config is read"


_OF_COPIES = frozenset(("__class__", "__deepcopy__", "__mro_entries__"))
"""What `copy` and Python itself ask for, in libraries that a config calls."""

_OWN_NAMES = frozenset(("build", "location", "module", "name", "source"))


class _Recording:
    """What an imported name does while the config file is executed."""

    def __getattribute__(self, name: str) -> Any:
        if name in _OWN_NAMES and is_recording():
            return self.attribute_(name)  # `zoo.build(...)` means the one of `zoo`
        if name[:2] == "__" and is_asked_by_config() and name not in _OF_COPIES:
            _refuse_value(self, f"its {name}")
        return super().__getattribute__(name)

    def __setattr__(self, name: str, value: Any) -> None:
        if is_asked_by_config():
            _refuse_effect(f"sets {dotted_path(cast('Reference', self))}.{name}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if is_asked_by_config():
            _refuse_effect(f"deletes {dotted_path(cast('Reference', self))}.{name}")
        super().__delattr__(name)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") and name.endswith("_"):
            raise AttributeError(name)  # Python and printers ask for such names
        return self.attribute_(name)

    def attribute_(self, name: str) -> Any:
        """A reference to an attribute of what this one stands for."""
        source = cast("Reference", self)
        return constant_or_name(ReferenceAttr(name, source, self.__dict__["location"]))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Record a call."""
        if not is_recording():
            return super().__call__(*args, **kwargs)  # type: ignore[misc]  # - LazyObject refuses
        _refuse_to_record(dotted_path(cast("Reference", self)))
        return Node(self, args, kwargs, where=calling_place())

    def __eq__(self, other: object) -> bool:
        if is_asked_by_config() and not (is_lazy(other) and super().__eq__(other)):
            _refuse_value(self, "a comparison")
        return super().__eq__(other)

    def __hash__(self) -> int:
        if is_asked_by_config():
            _refuse_value(self, "a key of a dict or a member of a set")
        return super().__hash__()

    def __str__(self) -> str:
        if is_asked_by_config():
            _refuse_value(self, "a text")
        return super().__str__()

    __repr__ = __str__

    def __copy__(self) -> Self:
        return self

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


def constant_or_name(name: Reference | ReferenceAttr) -> Any:
    """The number or text that Python's own library has under a name; otherwise the name.

    Such as ``logging.INFO`` in a program: data could not name it when the config is read back.
    """
    path = dotted_path(name)
    if is_recording() and path.partition(".")[0] in sys.stdlib_module_names:
        with not_recording(), contextlib.suppress(Exception):  # said when it is built
            found = import_named(path, "program")
            return found if type(found) in LITERALS else name
    return name


def reference_to(path: str, origin: Origin) -> Reference:
    """A reference by its dotted path.

    Args:
        path: Such as ``torch.optim.SGD``.
        origin: Who wrote it.
    """
    module, _, name = path.rpartition(".")
    return Reference(module or name, name if module else None, None, origin)


def _refuse_value(value: Any, use: str, help: str = EAGER) -> NoReturn:  # noqa: A002 - as in errors
    path = dotted_path(value)
    if not is_recording():
        raise TypeError(f"{path} is not imported yet, so it cannot be used in {use}")
    refuse(f"{path} is not imported while the config is read, so {use} cannot use its value", help)


def _refusing(use: str) -> Callable[..., NoReturn]:
    def method(self: Any, *_: Any) -> NoReturn:
        _refuse_value(self, use)

    return method


def _refuse_to_record(path: str) -> None:
    """Refuse a call that is never made: of a function of Python's that is no part of a run."""
    if not is_of_stdlib(path):
        return
    try:
        with not_recording():
            import_named(path, "program")
    except ForbiddenNameError as error:
        refuse(
            f"{path}(...) would be recorded, not called, and is never called later: "
            f"{error.message}",
            "do it in a function of a module of yours, and call that; or import it within "
            "`with eager():`, if it only reads",
        )
    except Exception:  # noqa: BLE001 - said when it is built
        return


def _refuse_effect(what: str) -> NoReturn:
    refuse(
        f"the config {what}: reading a config has no effects",
        "do it in a module that custom_imports imports",
    )


_REFUSED = {
    "arithmetic": ARITHMETIC,
    "a comparison": COMPARISONS,
    "an index": "getitem setitem delitem",
    "a test of membership": "contains",
    "len()": "len length_hint reversed",
    "iteration": "next aiter anext",
    "a number": "int float complex index round trunc floor ceil",
    "a path": "fspath",
    "bytes": "bytes",
    "an f-string or format()": "format",
    "a with statement": "enter exit",
}
for _use, _names in _REFUSED.items():
    give_operators(_Recording, _names, _refusing(_use))
