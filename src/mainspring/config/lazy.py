"""Names that a config imports without importing them: `LazyObject`, and its attributes, `LazyAttr`.

A new-style config file binds each name that it imports from outside the standard library to a
`LazyObject`. It stands for the object until somebody needs it; a `ConfigDict` builds it when it is
read. Nothing else can be done with it: calling it while the file is read is an error.
"""

from __future__ import annotations

import contextlib
from typing import Any, NoReturn, Self, TypeGuard

from mainspring.errors import ConfigError, ConfigParsingError, Location, mark_user_mistake
from mainspring.names import Origin, import_named
from mainspring.names.imports import ObjectNotFoundError
from mainspring.registry.default_scope import canonical_path
from mainspring.registry.recorded import RecordedName

__all__ = ["LazyAttr", "LazyObject", "LostObject", "dotted_path", "is_lazy"]


class _Lazy:
    """What all that is not imported yet has in common."""

    location: str | None
    _origin: Origin

    def build(self) -> Any:
        """Import the object.

        Raises:
            ImportError: If it cannot be imported; the message says where the config names it.
            Exception: What the module raises while it is imported.
        """
        origin: Any = self._origin
        return _import(dotted_path(self), self.location, origin)

    def __getattr__(self, name: str) -> LazyAttr:
        # Python itself asks for such names (copying, pickling, inspecting); nobody configures
        # them. So do notebooks and printers, with a single underscore.
        if name.startswith("_") and name.endswith("_"):
            raise AttributeError(name)
        return LazyAttr(name, self, self.location)

    def __call__(self, *_: Any, **__: Any) -> NoReturn:
        """Refuse: there is nothing to call yet."""
        imported = f" (imported in {self.location})" if self.location else ""
        raise mark_user_mistake(
            LazyCallError(
                f"{dotted_path(self)} cannot be called in a config{imported}: it is not imported "
                "before it is built",
                help=f"write dict(type={self!s}, ...) to have it called later, or read the config "
                "with lazy_import=False to import for real",
            )
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Lazy) and dotted_path(self) == dotted_path(other)

    def __hash__(self) -> int:
        return hash(dotted_path(self))

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    def __repr__(self) -> str:
        return str(self)


class LazyObject(_Lazy):
    """Something importable that has not been imported.

    Args:
        module: Dotted name of the module; of several (``import torch.nn`` and ``import torch``) the
            common package is what the name stands for.
        imported: Name in the module; ``None`` for the module itself.
        location: Where it was imported, ``"file, line n"``.
        origin: Who wrote the name, which decides what it may stand for.

    Example:
        >>> adam = LazyObject("torch.optim", "AdamW")
        >>> adam, adam.build().__module__
        (AdamW, 'torch.optim.adamw')
    """

    def __init__(
        self,
        module: str | list[str] | tuple[str, ...],
        imported: str | None = None,
        location: str | None = None,
        origin: Origin = "program",
    ) -> None:
        self._modules = tuple(module) if isinstance(module, list | tuple) else (module,)
        if not all(isinstance(name, str) for name in (*self._modules, imported or "")):
            raise TypeError(f"modules and objects are named by str, not {module!r}, {imported!r}")
        self._imported = imported
        self.location = location
        self._origin = origin

    @property
    def module(self) -> str:
        """Dotted name of the module."""
        return min(self._modules, key=len)

    def build(self) -> Any:
        """Import the object, and all modules that its name stands for."""
        for module in self._modules:
            if module != self.module:
                _import(module, self.location, "program")
        return super().build()

    def __str__(self) -> str:
        own = self.__dict__
        return str(own["_imported"] or min(own["_modules"], key=len))


class LazyAttr(_Lazy):
    """An attribute of something that has not been imported.

    Args:
        name: Name of the attribute.
        source: What it is an attribute of.
        location: Where the source was imported, ``"file, line n"``.
    """

    def __init__(self, name: str, source: _Lazy, location: str | None = None) -> None:
        self.name = name
        self.source = source
        self.location = location
        self._origin: Origin = source.__dict__["_origin"]

    @property
    def module(self) -> str:
        """Dotted path of what it is an attribute of."""
        return dotted_path(self.source)

    def build(self) -> Any:
        """Import the object, after what it is an attribute of."""
        if self._origin == "program":
            self.source.build()
        return super().build()

    def __str__(self) -> str:
        return str(self.__dict__["name"])


class LostObject(LazyObject, RecordedName):
    """What is left of an object in a dump: the path of its class, or its own.

    Args:
        path: The path.
        where: Where it is written.
    """

    def __init__(self, path: str, where: Location | None = None) -> None:
        super().__init__(path)
        self.where = where

    def build(self) -> NoReturn:
        """Refuse.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(
            f"an object ({dotted_path(self)}) stood here when the config was written down, which "
            "nothing can restore",
            location=self.where,
            help="describe it: as dict(type=..., ...), or as a call in a recorded config",
        )


def is_lazy(value: object) -> TypeGuard[LazyObject | LazyAttr]:
    """Whether a value stands for something that has not been imported."""
    return isinstance(value, _Lazy)


def dotted_path(value: _Lazy) -> str:
    """The full path of what a lazy object stands for, such as ``torch.optim.SGD``."""
    own = value.__dict__  # what it stands for may have attributes of the same names
    if isinstance(value, LazyAttr):
        return f"{dotted_path(own['source'])}.{own['name']}"
    module, imported = min(own["_modules"], key=len), own["_imported"]
    return f"{module}.{imported}" if imported else module


def _import(path: str, location: str | None, origin: Origin) -> Any:
    place = f"the config names it in {location}" if location else "a config names it"
    # Where the older package had a module of its own for a class, ours may have another one, but
    # the package around it has the class all the same.
    *modules, name = canonical_path(path).split(".")
    lengths = range(len(modules), 0, -1) if canonical_path(path) != path else ()
    try:
        for length in lengths:
            with contextlib.suppress(ObjectNotFoundError):
                return import_named(".".join([*modules[:length], name]), origin)
        return import_named(path, origin)
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


class LazyCallError(ConfigParsingError):
    """A name that is not imported yet was called."""
