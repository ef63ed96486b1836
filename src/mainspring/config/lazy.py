"""Names that a config imports without importing them: `LazyObject`, and its attributes, `LazyAttr`.

A new-style config file binds each name that it imports from outside the standard library to a
`LazyObject`. It stands for the object until somebody needs it; a `ConfigDict` builds it when it is
read. Nothing else can be done with it: calling it while the file is read is an error.
"""

from __future__ import annotations

from typing import Any, NoReturn

from mainspring.config.errors import ConfigParsingError
from mainspring.errors import ConfigError, mark_user_mistake
from mainspring.registry.default_scope import canonical_scope
from mainspring.utils.imports import ObjectNotFoundError, import_object

__all__ = ["LazyAttr", "LazyObject", "dotted_path", "is_lazy"]


class LazyObject:
    """Something importable that has not been imported.

    Args:
        module: Dotted name of the module; of several (``import torch.nn`` and ``import torch``) the
            common package is what the name stands for.
        imported: Name in the module; ``None`` for the module itself.
        location: Where it was imported, ``"file, line n"``.
    """

    def __init__(
        self,
        module: str | list[str] | tuple[str, ...],
        imported: str | None = None,
        location: str | None = None,
    ) -> None:
        self._modules = (module,) if isinstance(module, str) else tuple(module)
        self._imported = imported
        self.location = location

    @property
    def module(self) -> str:
        """Dotted name of the module."""
        return min(self._modules, key=len)

    def build(self) -> Any:
        """Import the object.

        Raises:
            ImportError: If it cannot be imported; the message says where the config names it.
            Exception: What the module raises while it is imported.
        """
        for module in self._modules:
            if module != self.module:
                _import(module, self.location)
        return _import(dotted_path(self), self.location)

    def __getattr__(self, name: str) -> LazyAttr:
        if _is_protocol(name):
            raise AttributeError(name)
        return LazyAttr(name, self, self.location)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there is nothing to call yet."""
        _refuse_call(self)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    def __hash__(self) -> int:
        return hash(dotted_path(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyObject:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __str__(self) -> str:
        own = self.__dict__
        return str(own["_imported"] or min(own["_modules"], key=len))

    __repr__ = __str__


class LazyAttr:
    """An attribute of something that has not been imported.

    Args:
        name: Name of the attribute.
        source: What it is an attribute of.
        location: Where the source was imported, ``"file, line n"``.
    """

    def __init__(
        self, name: str, source: LazyObject | LazyAttr, location: str | None = None
    ) -> None:
        self.name = name
        self.source = source
        self.location = location

    @property
    def module(self) -> str:
        """Dotted path of what it is an attribute of."""
        return dotted_path(self.source)

    def build(self) -> Any:
        """Import the object.

        Raises:
            ImportError: If it cannot be imported; the message says where the config names it.
            Exception: What the module raises while it is imported.
        """
        self.source.build()
        return _import(dotted_path(self), self.location)

    def __getattr__(self, name: str) -> LazyAttr:
        if _is_protocol(name):
            raise AttributeError(name)
        return LazyAttr(name, self, self.location)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there is nothing to call yet."""
        _refuse_call(self)

    def __eq__(self, other: object) -> bool:
        return _equal(self, other)

    def __hash__(self) -> int:
        return hash(dotted_path(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> LazyAttr:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __str__(self) -> str:
        return str(self.__dict__["name"])

    __repr__ = __str__


def is_lazy(value: object) -> bool:
    """Whether a value stands for something that has not been imported."""
    return isinstance(value, LazyObject | LazyAttr)


def dotted_path(value: LazyObject | LazyAttr) -> str:
    """The full path of what a lazy object stands for, such as ``torch.optim.SGD``."""
    own = value.__dict__  # what it stands for may have attributes of the same names
    if isinstance(value, LazyAttr):
        return f"{dotted_path(own['source'])}.{own['name']}"
    module, imported = min(own["_modules"], key=len), own["_imported"]
    return f"{module}.{imported}" if imported else module


def _is_protocol(name: str) -> bool:
    # Python itself asks for such names (copying, pickling, inspecting); nobody configures them.
    # So do notebooks and printers, with a single underscore.
    return name.startswith("_") and name.endswith("_")


def _equal(left: LazyObject | LazyAttr, right: object) -> bool:
    if not isinstance(right, LazyObject | LazyAttr):
        return False
    return dotted_path(left) == dotted_path(right)


def _import(path: str, location: str | None) -> Any:
    place = f"the config names it in {location}" if location else "a config names it"
    head, dot, rest = path.partition(".")
    try:
        if canonical_scope(head) != head:
            return _import_alias(f"{canonical_scope(head)}{dot}{rest}", path)
        return import_object(path, written_as_code=True)
    except ObjectNotFoundError as error:
        module, _, name = path.rpartition(".")
        if module:
            message = f"Failed to import {name} from {module}: {error.message} ({place})"
            raise mark_user_mistake(ImportError(message, name=module)) from error
        missing = ModuleNotFoundError(f"{error.message} ({place})", name=path)
        raise mark_user_mistake(missing) from error
    except Exception as error:
        error.add_note(f"while importing {path}; {place}")
        raise


def _import_alias(path: str, written: str) -> Any:
    """An object of this package, by a path that begins with the older name of the package.

    Where the older package had a module of its own for a class, ours may have another one, but the
    package around it has the class all the same.
    """
    *modules, name = path.split(".")
    for length in range(len(modules), 0, -1):
        try:
            return import_object(".".join([*modules[:length], name]), written_as_code=True)
        except ObjectNotFoundError:
            continue
    return import_object(written, written_as_code=True)


def _refuse_call(value: LazyObject | LazyAttr) -> NoReturn:
    imported = f" (imported in {value.location})" if value.location else ""
    raise mark_user_mistake(
        LazyCallError(
            f"{dotted_path(value)} cannot be called in a config{imported}: it is not imported "
            "before it is built",
            help=f"write dict(type={value}, ...) to have it called later, or read the config "
            "with lazy_import=False to import for real",
        )
    )


class LazyCallError(ConfigParsingError):
    """A name that is not imported yet was called."""

    __str__ = ConfigError.__str__
