"""The scope in which names are looked up: the name of a package such as ``mmdet``."""

from __future__ import annotations

import itertools
import logging
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from mainspring.errors import ConfigError
from mainspring.registry.manager import ManagerMixin
from mainspring.registry.within import within

__all__ = ["ROOT_SCOPE", "DefaultScope", "canonical_path", "canonical_scope", "init_default_scope"]

ROOT_SCOPE = "mainspring"
_ROOT_ALIAS = "mmengine"

_serial = itertools.count(1)


def canonical_scope(scope: str) -> str:
    """The scope's own name: ``mmengine`` is another name of the root scope."""
    return ROOT_SCOPE if scope == _ROOT_ALIAS else scope


def canonical_path(path: str) -> str:
    """A dotted path, or a name with its scope, that begins with the scope's own name."""
    head, dot, rest = path.partition(".")
    return f"{canonical_scope(head)}{dot}{rest}"


class DefaultScope(ManagerMixin):
    """The scope in which names are looked up when they do not say theirs.

    A run creates one under its own name. What is current follows the thread or task, as for every
    `ManagerMixin`.

    Args:
        name: Name of the instance.
        scope_name: Name of the scope, such as ``mmdet``.

    Example:
        >>> with DefaultScope.overwrite_default_scope("mmdet"):
        ...     DefaultScope.get_current_instance().scope_name
        'mmdet'
    """

    def __init__(self, name: str, scope_name: str) -> None:
        super().__init__(name)
        if not isinstance(scope_name, str):
            raise ConfigError(f"scope_name should be a string, but got {scope_name!r}")
        self._scope_name = scope_name
        self._is_temporary = False

    @property
    def scope_name(self) -> str:
        """Name of the scope, as it was given."""
        return self._scope_name

    @classmethod
    def get_current_instance(cls) -> Self | None:  # type: ignore[override]  # - MMEngine: None here
        """The current scope, or ``None`` when there is none."""
        current: Self | None = cls.current_here()
        if current is not None and current._is_temporary:
            return current
        return super().get_current_instance() if cls._instance_dict else None

    @classmethod
    @contextmanager
    def overwrite_default_scope(cls, scope_name: str | None) -> Iterator[None]:
        """Make another scope the current one within a ``with`` block, in this thread or task.

        Args:
            scope_name: Name of the scope; ``None`` changes nothing.
        """
        if scope_name is None:
            yield
            return
        temporary = cls(f"overwrite-{next(_serial)}", scope_name)
        temporary._is_temporary = True
        with within(cls._current, weakref.ref(temporary)):
            yield


def init_default_scope(scope: str) -> None:
    """Make a scope the current one for the rest of the program.

    Args:
        scope: Name of the scope; a warning is logged when another one was current.
    """
    current = DefaultScope.get_current_instance()
    if current is None or not DefaultScope.check_instance_created(scope):
        DefaultScope.get_instance(scope, scope_name=scope)
    elif current.scope_name != scope:
        said = "The current default scope %r is not %r, `init_default_scope` sets it to %r."
        logging.getLogger(__name__).warning(said, current.scope_name, scope, scope)
        DefaultScope.get_instance(f"{scope}-{next(_serial)}", scope_name=scope)
