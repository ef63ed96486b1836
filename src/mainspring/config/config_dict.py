"""`ConfigDict`: a dict whose items are also attributes, with the rules of configs."""

from __future__ import annotations

import copy
import operator
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager
from contextvars import ContextVar
from typing import Any, ClassVar, Self

from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.provenance.marks import Marked, carry, current_session
from mainspring.errors import ConfigTypeError
from mainspring.registry.recorded import RecordedCall
from mainspring.registry.within import within

__all__ = [
    "DELETE_KEY",
    "ConfigDict",
    "duplicate",
    "keeping_lazy",
    "map_items",
    "reading_imports",
    "replaces_whole",
]

DELETE_KEY = "_delete_"
"""In a dict that changes another: drop what the other has."""

_keeps_lazy: ContextVar[bool] = ContextVar("mainspring_config_keeps_lazy", default=False)


class ConfigDict(Marked):
    """A dict for configs.

    Items are attributes as well, and dicts inside of it, in lists and tuples too, are of the same
    class. A name that is missing is a `KeyError` as an item and an `AttributeError` as an
    attribute. Values that stand for something not imported yet (`LazyObject`) are imported when
    they are read.

    Args:
        *args: At most one mapping or iterable of pairs per argument; ``None`` counts as empty.
        **kwargs: More items.

    Attributes:
        lazy: Class attribute: while it is true, reading imports nothing.

    Example:
        >>> cfg = ConfigDict(model=dict(depth=50))
        >>> cfg.update(dict(model=dict(width=2)))
        >>> cfg.model.depth, cfg
        (50, {'model': {'depth': 50, 'width': 2}})
    """

    lazy: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()
        for arg in args:
            carry(arg, self)
            for key, value in _pairs(arg):
                self[key] = value
        for key, value in kwargs.items():
            self[key] = value

    # Reading

    def __getitem__(self, key: Any) -> Any:
        return _built(super().__getitem__(key))

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            # The interpreter looks for similar names only when it prints the error.
            raise AttributeError(
                f"{type(self).__name__!r} object has no attribute {name!r}", name=name, obj=self
            ) from None

    def get(self, key: Any, default: Any = None) -> Any:
        """The value of a key, or the default."""
        return _built(super().get(key, default))

    def __iter__(self) -> Iterator[Any]:
        # A dict subclass with its own __iter__ is unpacked (`**cfg`, `dict(cfg)`) item by item
        # through __getitem__, which is what imports lazy values.
        return iter(self.keys())

    def values(self) -> list[Any]:  # type: ignore[override]  # - MMEngine returns lists
        """The values, in a list."""
        return [_built(value) for value in super().values()]

    def items(self) -> list[tuple[Any, Any]]:  # type: ignore[override]  # - MMEngine returns lists
        """The pairs of key and value, in a list."""
        return [(key, _built(value)) for key, value in super().items()]

    def __dir__(self) -> list[str]:
        names = [key for key in self if isinstance(key, str) and key.isidentifier()]
        return sorted({*super().__dir__(), *names})

    # Writing

    def __setitem__(self, key: Any, value: Any) -> None:
        super().__setitem__(key, self._wrap(value))

    def __setattr__(self, name: str, value: Any) -> None:
        if hasattr(type(self), name):
            raise AttributeError(
                f"{type(self).__name__!r} object attribute {name!r} is read-only; "
                f"write cfg[{name!r}] for a key of that name"
            )
        self[name] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def pop(self, key: Any, default: Any = None) -> Any:
        """Remove a key and return its value; the default when it is not there. Never raises."""
        return _built(super().pop(key, default))

    def popitem(self) -> tuple[Any, Any]:
        """Remove the last item and return its key and value."""
        key, value = super().popitem()
        return key, _built(value)

    def setdefault(self, key: Any, default: Any = None) -> Any:
        """The value of a key, which is set to the default when it is not there."""
        if key not in self:
            self[key] = default
        return self[key]

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set items; where both the old and the new value are dicts, the old one is updated.

        Args:
            *args: At most one mapping or iterable of pairs.
            **kwargs: More items.

        Raises:
            TypeError: If there is more than one positional argument.
        """
        if len(args) > 1:
            raise TypeError(f"update takes at most one positional argument, but got {len(args)}")
        other = dict(_pairs(args[0])) if args else {}
        other.update(kwargs)
        for key, value in other.items():
            old = super().get(key)
            if isinstance(value, dict) and isinstance(old, ConfigDict):
                old.update(value)
            else:
                self[key] = value

    def merge(self, other: Mapping[Any, Any]) -> None:
        """Set items; dicts are merged, except where the new one says ``_delete_=True``.

        Args:
            other: What to set. A dict in it with ``_delete_=True`` takes the place of the old one;
                the marks themselves are left out.
        """
        if not isinstance(other, Mapping):
            raise TypeError(f"merge takes a dict, but got {type(other).__name__}: {other!r}")
        for key, value in _pairs(other):
            if key == DELETE_KEY:
                continue
            old = super().get(key)
            changes = isinstance(value, dict) and not replaces_whole(value)
            if changes and isinstance(old, ConfigDict):
                old.merge(value)
            else:
                self[key] = duplicate(value, {}, marks=False)

    def __or__(self, other: Any) -> Self:
        if not isinstance(other, dict):
            return NotImplemented
        result = copy.deepcopy(self)
        result.update(other)
        return result

    def __ror__(self, other: Any) -> Self:
        if not isinstance(other, dict):
            return NotImplemented
        result = type(self)(other)
        result.update(self)
        return result

    def __ior__(self, other: Any) -> Self:
        self.update(other)
        return self

    # Comparing, copying, converting

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, dict):
            return False
        if isinstance(other, ConfigDict) or not any(map(is_lazy, dict.values(self))):
            return super().__eq__(other)
        return dict(self) == other

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = None  # type: ignore[assignment]  # - as in every dict

    def copy(self) -> Self:
        """A shallow copy: lists are new, dicts are shared."""
        other = self.empty_copy()
        for key, value in super().items():
            dict.__setitem__(other, key, self._wrap(value))
        return other

    __copy__ = copy

    def empty_copy(self) -> Self:
        """A dict of the same class, written in the same place, that holds nothing."""
        other = type(self)()
        carry(self, other)
        return other

    def deepcopy(self) -> Self:
        """A deep copy; nothing is imported for it."""
        return copy.deepcopy(self)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        result = self.empty_copy()
        memo[id(self)] = result
        for key, value in super().items():
            copied = copy.deepcopy(value, memo)
            carry(value, copied)
            dict.__setitem__(result, copy.deepcopy(key, memo), copied)
        return result

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        return type(self), (dict(super().items()),)

    def to_dict(self) -> dict[Any, Any]:
        """Plain dicts all the way down; names that are not imported become dotted paths."""
        result: dict[Any, Any] = map_items(
            self, lambda item: dotted_path(item) if is_lazy(item) else item
        )
        return result

    def _to_lazy_dict(self) -> dict[Any, Any]:
        """Plain dicts all the way down; names that are not imported stay as they are."""
        result: dict[Any, Any] = map_items(self, lambda value: value)
        return result

    def build_lazy(self, value: Any) -> Any:
        """What a value stands for: a lazy object is imported, anything else is returned."""
        return _built(value)

    @classmethod
    def _wrap(cls, value: Any) -> Any:
        is_dict = type(value) in (dict, OrderedDict)
        if not is_dict and not isinstance(value, list | tuple):
            return value  # other dict classes have a behaviour that somebody wants to keep
        current = current_session()
        copies = current.copies if current is not None else None
        if current is None or copies is None:
            return cls(value) if is_dict else _rebuilt(value, [cls._wrap(item) for item in value])
        if id(value) in copies:
            return copies[id(value)][2]
        held = dict(value) if is_dict else dict(enumerate(value))
        if is_dict:
            result = cls(value)
        else:
            items = [cls._wrap(item) for item in value]
            if all(map(operator.is_, items, value)):
                return value
            if type(value) is list and id(value) in current.kept:
                value[:] = items  # the file itself has made it
                return value
            result = _rebuilt(value, items)
        copies[id(value)] = (value, held, result)
        return result


def keeping_lazy(keep: bool = True) -> AbstractContextManager[bool]:
    """Within the block, reading a `ConfigDict` imports nothing in this thread.

    Args:
        keep: False for the opposite, within another such block.
    """
    return within(_keeps_lazy, keep)


def map_items(value: Any, leaf: Any) -> Any:
    """A copy with plain dicts, in which each value that is no dict, list or tuple is replaced.

    Args:
        value: Any value, usually nested.
        leaf: Called with each value that holds no others; returns what takes its place.
    """
    if isinstance(value, dict):
        return {key: map_items(item, leaf) for key, item in dict.items(value)}
    if isinstance(value, list | tuple):
        return _rebuilt(value, [map_items(item, leaf) for item in value])
    return leaf(value)


def reading_imports() -> bool:
    """Whether reading a `ConfigDict` imports what it reads, in this thread."""
    return not (ConfigDict.lazy or _keeps_lazy.get())


def _built(value: Any) -> Any:
    if is_lazy(value) and reading_imports():
        return value.build()
    return value


def _pairs(source: Any) -> Iterable[tuple[Any, Any]]:
    if source is None:
        return ()
    if isinstance(source, dict):
        return list(dict.items(source))
    if isinstance(source, Mapping):
        return list(source.items())
    if isinstance(source, tuple) and len(source) == 2 and isinstance(source[0], str):
        return [source]
    return [(key, value) for key, value in source]


def _rebuilt(original: Any, items: list[Any]) -> Any:
    """A list or tuple of the same class with other items."""
    make = getattr(original, "_make", None)
    result = make(items) if make is not None else type(original)(items)
    carry(original, result)
    return result


def replaces_whole(value: dict[Any, Any], path: str = "") -> bool:
    """Whether a dict says that it takes the place of what a base has, ``_delete_=True``.

    Args:
        value: The dict.
        path: Dotted path of it, for the error.

    Raises:
        ConfigTypeError: It says neither yes nor no.
    """
    said = dict.get(value, DELETE_KEY)
    if not isinstance(said, bool | int | None):
        raise ConfigTypeError.of_value(f"{path}.{DELETE_KEY}", said, "give True or False")
    return bool(said)


def duplicate(value: Any, memo: dict[int, Any], *, marks: bool = True) -> Any:
    """A copy of nested dicts, lists and tuples; nothing is imported for it.

    Args:
        value: Any value; what is no such container is not copied.
        memo: The copies of recorded calls by the `id` of the original, which are one part wherever
            they stand. Dicts that were written as such are copied for each place.
        marks: Whether ``_delete_`` stays in dicts.
    """
    if isinstance(value, ConfigDict) or type(value) in (dict, OrderedDict):
        if id(value) in memo:
            return memo[id(value)]
        result = value.empty_copy() if isinstance(value, ConfigDict) else ConfigDict()
        if isinstance(value, RecordedCall):
            memo[id(value)] = result
        carry(value, result)
        entries: Any = value
        for key, item in dict.items(entries):
            if marks or key != DELETE_KEY:
                dict.__setitem__(result, key, duplicate(item, memo, marks=marks))
        return result
    if isinstance(value, dict):
        return copy.copy(value)  # of a class that has a behaviour of its own
    if type(value) in (list, tuple):
        items = type(value)(duplicate(item, memo, marks=marks) for item in value)
        carry(value, items)
        return items
    return value
