"""`Node`: a call that a config file recorded, equal to ``dict(type=..., ...)``."""

from __future__ import annotations

import contextlib
import copyreg
import inspect
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Self

from mainspring.config.config_dict import ConfigDict, keeping_lazy, reading_imports
from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.provenance.marks import carry
from mainspring.config.provenance.places import locate, name_positional
from mainspring.config.recorded_python.recording import (
    ARITHMETIC,
    COMPARISONS,
    calling_token,
    give_operators,
    is_asked_by_config,
    is_recording,
    not_recording,
    refuse,
)
from mainspring.errors import ConfigError, Location
from mainspring.registry.recorded import POSITIONAL_KEY, RecordedCall

__all__ = ["Node"]

_VALUE_HELP = (
    "write the number or text, or import the callable within `with eager():` to call it now"
)
_CALL_HELP = (
    "define a function in the file that makes the whole call, in place of partial(...); or call "
    "it in a function of a module"
)
_COPY_HELP = "take copy(...) of it and change that with edit(...)"


class Node(ConfigDict, RecordedCall):
    """A recorded call: a `ConfigDict` whose ``type`` is what is called.

    Positional arguments are kept under ``_args_`` until somebody reads the node after the config is
    loaded; then the callable is imported, and they get the names of its parameters.

    While the config file is executed a node is no value yet: its length, truth and keys are
    refused, since they would be those of the dict rather than of the object that it stands for.

    Args:
        target: What is called: a class or function, or a name for one.
        args: Positional arguments.
        kwargs: Arguments by name.
        where: Where the call is written.
        late: Whether the first argument is added later, see `mainspring.config.later`.
    """

    _where: Location | None = None
    _late: bool = False
    _edited: frozenset[Any] = frozenset()

    def __init__(
        self,
        target: Any,
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
        *,
        where: Location | None = None,
        late: bool = False,
    ) -> None:
        object.__setattr__(self, "_where", where)
        object.__setattr__(self, "_late", late)
        super().__init__()
        positional = {POSITIONAL_KEY: list(args)} if args else {}
        if "type" in (kwargs or {}):
            shown = (
                dotted_path(target) if is_lazy(target) else getattr(target, "__qualname__", target)
            )
            raise ConfigError(
                f"{shown} gets an argument 'type' by name, but under that name a config keeps "
                "what is called",
                location=where,
                help="give it by position",
            )
        for key, value in {"type": target, **positional, **(kwargs or {})}.items():
            self._put(key, value)

    def _put(self, key: Any, value: Any) -> None:
        dict.__setitem__(self, key, self._wrap(value))

    @property
    def is_late(self) -> bool:
        """Whether the first argument is added later."""
        return self._late

    @property
    def is_edited(self) -> bool:
        """Whether an argument was set while others have no names yet."""
        return bool(self._edited) and dict.__contains__(self, POSITIONAL_KEY)

    @property
    def where_written(self) -> Location | None:
        """Where the call is written; ``None`` when no file says it."""
        return self._where

    def empty_copy(self) -> Self:
        """A node of the same place and lateness that holds nothing."""
        other = type(self)(None, where=self._where, late=self._late)
        object.__setattr__(other, "_edited", self._edited)
        dict.clear(other)
        carry(self, other)
        return other

    def __setitem__(self, key: Any, value: Any) -> None:
        self._put(key, value)
        if dict.__contains__(self, POSITIONAL_KEY):
            # It may be one that the call gives by position: known when the callable is imported.
            object.__setattr__(self, "_edited", self._edited | {key})

    # Positional arguments

    def bind(self) -> None:
        """Give positional arguments the names of the parameters that they are for.

        Raises:
            ConfigError: There are more of them than parameters, or one is also given by name.
            ImportError: The callable cannot be imported.
        """
        raw = dict(dict.items(self))
        positional = raw.pop(POSITIONAL_KEY, None)
        if not positional:
            return
        try:
            target = super().__getitem__("type")
            parameters = list(inspect.signature(target).parameters.values())
        except (TypeError, ValueError):
            return  # a callable without a signature takes them as they are
        if any(p.kind is p.POSITIONAL_ONLY or p.kind is p.VAR_POSITIONAL for p in parameters):
            return
        names = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD]
        names = names[1:] if self._late else names
        shown = getattr(target, "__name__", str(target))
        if len(positional) > len(names):
            raise ConfigError(
                f"{shown} takes {len(names)} positional arguments, but {len(positional)} are given",
                location=self._where,
                help=f"its parameters are {', '.join(names)}" if names else None,
            )
        named = dict(zip(names, positional, strict=False))
        if "type" in named:
            return  # under that name stands what is called
        for name in named:
            if name in raw and name not in self._edited:
                raise ConfigError(
                    f"{shown} gets {name!r} twice, by position and by name",
                    location=locate(self, name) or self._where,
                )
        name_positional(self, list(named))
        dict.clear(self)
        dict.update(self, {"type": raw.pop("type", None), **named, **raw})

    def try_bind(self) -> None:
        """`bind`, for which what is called is imported; where that fails nothing is changed."""
        with contextlib.suppress(Exception), not_recording(), keeping_lazy(False):
            self.bind()

    def _complete(self, what: str = "", advice: str = "") -> None:
        """Name all arguments before somebody reads them, which a config is refused.

        Args:
            what: What the config asks for; empty where it may ask.
            advice: What it says instead.
        """
        if what:
            self._refuse_while_recording(what, advice)
        if dict.__contains__(self, POSITIONAL_KEY) and reading_imports():
            self.bind()

    def _find(self, key: Any) -> bool:
        """Whether an argument is there, also while the file runs; that may import the callable."""
        if not dict.__contains__(self, key) and dict.__contains__(self, POSITIONAL_KEY):
            self.try_bind()  # what cannot be imported now has no such argument yet
        return dict.__contains__(self, key)

    # Reading: names for positional arguments are found when somebody asks

    def __getitem__(self, key: Any) -> Any:
        self._look_for(key, is_recording())
        return super().__getitem__(key)

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or the default."""
        self._look_for(key, is_asked_by_config())
        return super().get(key, default)

    def _look_for(self, key: Any, must_be_there: bool) -> None:
        if not dict.__contains__(self, key):
            if must_be_there and not self._find(key):
                self._refuse_while_recording(f"it has no item {key!r}", "give it as an argument")
            self._complete()

    def __contains__(self, key: object) -> bool:
        if is_asked_by_config():
            self._refuse_while_recording("what it contains is", _COPY_HELP)
        if not dict.__contains__(self, key):
            self._complete()
        return dict.__contains__(self, key)

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove a key and return its value; the default when it is not there. Never raises."""
        if not dict.__contains__(self, key):
            self._complete()
        return super().pop(key, default)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") and name.endswith("__"):
            raise AttributeError(name)  # Python asks for such names; nobody configures them
        if not is_recording() or self._find(name):
            return super().__getattr__(name)
        shown = str(dict.get(self, "type"))
        return refuse(
            f"{shown}(...) has no {name!r} here: the call is recorded, so there is no object and "
            "it has no methods yet",
            f"give {name} as an argument of {shown}, or do it in a function of a module that the "
            "config calls",
            calling_token(),
        )

    def keys(self) -> Any:
        """The keys."""
        self._complete("its keys are", _COPY_HELP)
        return super().keys()

    def values(self) -> list[Any]:  # type: ignore[override]  # - MMEngine returns lists
        """The values, in a list."""
        self._complete("its values are", _COPY_HELP)
        return super().values()

    def items(self) -> list[tuple[Any, Any]]:  # type: ignore[override]  # - MMEngine returns lists
        """The pairs of key and value, in a list."""
        self._complete("its items are", _COPY_HELP)
        return super().items()

    def __iter__(self) -> Iterator[Any]:
        self._complete("it cannot be iterated over", "iterate over plain values instead")
        return iter(list(dict.keys(self)))

    def __len__(self) -> int:
        self._complete("its length is", "write the number, or import it within `with eager():`")
        return dict.__len__(self)

    def __bool__(self) -> bool:
        advice = f"compare with `is None`; or {_VALUE_HELP}"
        self._refuse_while_recording("it is neither true nor false", advice)
        return dict.__len__(self) > 0

    def __eq__(self, other: object) -> bool:
        self._refuse_while_recording("it cannot be compared", "compare its .type, or use `is`")
        if isinstance(other, Node) and self._late != other._late:
            return False
        return super().__eq__(other)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # - as in every dict

    def __repr__(self) -> str:
        if is_asked_by_config():
            self._refuse_while_recording("its text is", _VALUE_HELP)
        return super().__repr__()

    __str__ = __repr__

    def __call__(self, *_: Any, **__: Any) -> Any:
        """Refuse: what it gives when it is called is not known yet."""
        self._refuse_while_recording("it cannot be called", _CALL_HELP)
        raise TypeError(f"{self!r} is a description, which is built by a registry, not called")

    def __enter__(self) -> Any:
        self._refuse_while_recording("it is no context manager", "do this in a module")
        raise TypeError(f"{self!r} is a description and no context manager")

    def __exit__(self, *_: object) -> None:
        """Never reached: `__enter__` refuses."""

    def _calculated(self, *_: Any) -> Any:
        self._refuse_while_recording("it has no value to calculate with", _VALUE_HELP)
        return NotImplemented

    def __or__(self, other: Any) -> Any:
        return self._calculated() if is_asked_by_config() else super().__or__(other)

    def _refuse_while_recording(self, what: str, help: str) -> None:  # noqa: A002 - as in errors
        if is_recording():
            shown = str(dict.get(self, "type"))
            tail = " not known before the object is built" if what.endswith((" is", " are")) else ""
            refuse(f"{shown}(...) is recorded, not called: {what}{tail}", help)

    # Copies

    @classmethod
    def _wrap(cls, value: Any) -> Any:
        return ConfigDict._wrap(value)

    def __ror__(self, other: Any) -> Any:
        if is_asked_by_config():
            return self._calculated()
        return ConfigDict(other) | self if isinstance(other, dict) else NotImplemented

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # Items come before the rest: setting them must not count as an edit.
        kept = {"_where": self._where, "_late": self._late, "_edited": self._edited}
        return copyreg.__newobj__, (type(self),), kept, None, iter(dict.items(self))  # type: ignore[attr-defined]  # - in no stub


give_operators(Node, f"{ARITHMETIC} {COMPARISONS}", Node._calculated)
