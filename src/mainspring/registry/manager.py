"""Objects that can be reached by name, or as the current one, from everywhere in the process."""

from __future__ import annotations

import inspect
import threading
import warnings
import weakref
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, ClassVar, Self, cast

from mainspring.defaults import DEFAULTS
from mainspring.errors import ArgumentTypeError

__all__ = ["ManagerMeta", "ManagerMixin"]

# Creating an instance may create others, of other classes or in the same thread.
_lock = threading.RLock()


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise ArgumentTypeError(f"name argument must be an non-empty string, but is {name!r}")


class _Instances(OrderedDict[str, Any]):
    """The instances of a class by name; one that is added becomes the current one."""

    def __init__(self, current: ContextVar[Any]) -> None:
        super().__init__()
        self._current = current

    def __setitem__(self, name: str, instance: Any) -> None:
        super().__setitem__(name, instance)
        self._current.set(weakref.ref(instance))


class ManagerMeta(type):
    """Gives each class its own table of instances and its own current instance.

    The current instance is referred to weakly, so that releasing one need not say that it is no
    longer current: a run may be released while garbage is collected, and Python crashes where a
    context variable is set while another one is being set.
    """

    _instance_dict: OrderedDict[str, Any]
    _current: ContextVar[Any]

    def __init__(cls, *args: Any) -> None:
        super().__init__(*args)
        cls._current = ContextVar(f"current {cls.__name__}", default=None)
        cls._instance_dict = _Instances(cls._current)
        if "name" not in inspect.getfullargspec(cls).args:
            raise ArgumentTypeError(f"{cls} must have the `name` argument")

    def current_here(cls) -> Any:
        """What this thread or task made current last; ``None`` if it is gone."""
        found = cls._current.get()
        return None if found is None else found()


class ManagerMixin(metaclass=ManagerMeta):
    """Base of classes whose instances are found by name, or as the current one, from everywhere.

    Current is, within a thread or task, the instance that it created last and that still exists;
    in a thread or task that created none, the one that was created last anywhere.

    Args:
        name: Name of the instance, not empty.

    Example:
        >>> class Notes(ManagerMixin): ...
        >>> first = Notes.get_instance("first")
        >>> Notes.get_current_instance() is first is Notes.get_instance("first")
        True
    """

    _has_default: ClassVar[bool] = False
    """Whether one is there without anybody's doing; ``mmengine`` is always a name of it."""

    def __init__(self, name: str = "") -> None:
        _check_name(name)
        self._instance_name = name

    @classmethod
    def get_instance(cls, name: str, **kwargs: Any) -> Self:
        """The instance of this name; it is created, and becomes the current one, if there is none.

        Args:
            name: Name of the instance.
            **kwargs: Further arguments of the constructor; a warning says so when they have no
                effect because the instance exists.
        """
        _check_name(name)
        if cls._has_default and name == "mmengine":
            name = DEFAULTS.name
        with _lock:
            if name not in cls._instance_dict:
                cls._instance_dict[name] = cls(name=name, **kwargs)
            elif kwargs:
                warnings.warn(
                    f"{cls} instance named of {name} has been created, the method `get_instance` "
                    f"should not accept any other arguments: {', '.join(kwargs)} have no effect",
                    stacklevel=2,
                )
            instance: Self = cls._instance_dict[name]
            return instance

    @classmethod
    def get_current_instance(cls) -> Self:
        """The current instance; loggers and message hubs make one when there is none.

        Raises:
            RuntimeError: If there is no instance.
        """
        with _lock:
            current = cls.current_here()
            if current is not None and cls._instance_dict.get(current.instance_name) is current:
                return cast("Self", current)
            if not cls._instance_dict and cls._has_default:
                return cls.get_instance(DEFAULTS.name)
            if not cls._instance_dict:
                raise RuntimeError(
                    f"Before calling {cls.__name__}.get_current_instance(), you should call "
                    "get_instance(name=xxx) at least once."
                )
            latest: Self = next(reversed(cls._instance_dict.values()))
            return latest

    @classmethod
    def check_instance_created(cls, name: str) -> bool:
        """Whether there is an instance of this name."""
        return name in cls._instance_dict

    @classmethod
    def release_instance(cls, name: str) -> None:
        """Forget the instance of this name, here and in the tables of derived and base classes.

        Args:
            name: Name of the instance; nothing happens if there is none.
        """
        with _lock:
            instance = cls._instance_dict.get(name)
            if instance is None:
                return
            for owner in {cls, *type(instance).__mro__}:
                if isinstance(owner, ManagerMeta) and owner._instance_dict.get(name) is instance:
                    del owner._instance_dict[name]

    @contextmanager
    def as_current(self) -> Iterator[Self]:
        """Make this instance the current one within a ``with`` block, in this thread or task."""
        managers = (owner for owner in type(self).__mro__ if isinstance(owner, ManagerMeta))
        name = self._instance_name
        owners = [owner for owner in managers if owner._instance_dict.get(name) is self]
        tokens = [(owner, owner._current.set(weakref.ref(self))) for owner in owners]
        try:
            yield self
        finally:
            for owner, token in tokens:
                owner._current.reset(token)

    @property
    def instance_name(self) -> str:
        """Name of the instance."""
        return self._instance_name
