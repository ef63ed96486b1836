"""`edit`: change a part that a config inherits."""

from __future__ import annotations

import ast
import itertools
import linecache
from collections.abc import Iterator
from types import FrameType
from typing import Any

from mainspring.config.config_dict import keeping_lazy
from mainspring.config.node import Node
from mainspring.config.printing.sharing import places_of
from mainspring.config.provenance.marks import session
from mainspring.config.recorded_python.recording import (
    calling_frame,
    calling_place,
    calling_token,
    not_recording,
    refuse,
)
from mainspring.config.schema import RUNNER_SECTIONS
from mainspring.errors import ConfigError, did_you_mean
from mainspring.registry.recorded import POSITIONAL_KEY

__all__ = ["Editor", "edit"]


def edit(part: Any) -> Any:
    """Change an inherited part: ``edit(model).backbone.depth = 101``.

    Attributes and items of what it returns are edited in turn; assigning one replaces the whole
    value, ``del`` removes it. It is typed as `Any`, so that editors do not complain about
    attributes that only the description has.

    Args:
        part: Recorded call, dict or list of a config.

    Raises:
        ConfigError: The part is no part of a config, or it stands in two places of it, both of
            which would change.

    Example:
        >>> model = dict(backbone=dict(depth=50))
        >>> edit(model).backbone.depth = 101
        >>> model
        {'backbone': {'depth': 101}}
    """
    if isinstance(part, Editor):
        return part
    if not isinstance(part, dict | list):
        raise ConfigError(
            f"edit() changes parts of a config, but got {part!r}",
            location=calling_place(),
            help="assign the variable itself",
        )
    with session() as current:
        part = current.standing_for(part)
    _refuse_shared(part)
    return Editor(part)


class Editor:
    """Passes assignments on to a part of a config."""

    __slots__ = ("_part",)

    _part: Any

    def __init__(self, part: Any) -> None:
        object.__setattr__(self, "_part", part)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        value = self._find(name)
        if callable(value) and not isinstance(value, dict):
            return value
        return _inner(value)

    def __getitem__(self, key: Any) -> Any:
        return _inner(self._find(key))

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __setitem__(self, key: Any, value: Any) -> None:
        value = value._part if isinstance(value, Editor) else value
        _refuse_shared(self._part)
        self._holder(key)[key] = value

    def __delattr__(self, name: str) -> None:
        del self[name]

    def __delitem__(self, key: Any) -> None:
        self._find(key)
        _refuse_shared(self._part)
        del self._holder(key)[key]

    def __iter__(self) -> Iterator[Any]:
        return iter([_inner(item) for item in self._part])

    def __len__(self) -> int:
        return len(self._part)

    def append(self, value: Any) -> None:
        """Add an item to the end of a list."""
        self._list("append").append(value)

    def extend(self, values: Any) -> None:
        """Add items to the end of a list."""
        self._list("extend").extend(values)

    def insert(self, index: int, value: Any) -> None:
        """Add an item to a list before an index."""
        self._list("insert").insert(index, value)

    def pop(self, key: Any = -1, *default: Any) -> Any:
        """Remove an item of a list or dict and return it."""
        _refuse_shared(self._part)
        return self._part.pop(key, *default)

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Change several arguments at once; dicts inside are updated, not replaced."""
        for name, value in dict(*args, **kwargs).items():
            old = dict.get(self._part, name) if isinstance(self._part, dict) else None
            if isinstance(old, dict) and isinstance(value, dict) and not isinstance(value, Node):
                Editor(old).update(value)
            else:
                self[name] = value

    def _list(self, method: str) -> list[Any]:
        part = self._holder(0)
        if isinstance(part, list):
            _refuse_shared(self._part)
            return part
        raise ConfigError(
            f"only a list has {method}(), but this is {_shown(part)}", location=calling_place()
        )

    def _holder(self, key: Any) -> Any:
        """The part, or the positional arguments of a call for the number of one."""
        part = self._part
        if isinstance(key, int) and isinstance(part, Node) and not dict.__contains__(part, key):
            return dict.get(part, POSITIONAL_KEY, part)
        return part

    def _find(self, key: Any) -> Any:
        part = self._holder(key)
        if isinstance(part, list):
            try:
                return part[key]
            except (IndexError, TypeError) as error:
                raise ConfigError(
                    f"the list has no item {key!r}: it has {len(part)} items",
                    location=calling_token(),
                ) from error
        if not dict.__contains__(part, key) and isinstance(part, Node):
            with not_recording(), keeping_lazy(False):
                part.bind()  # imports its class
        if dict.__contains__(part, key):
            return dict.__getitem__(part, key)
        written = [str(name) for name in dict.keys(part) if name != POSITIONAL_KEY]
        written += map(str, range(len(dict.get(part, POSITIONAL_KEY, ()))))
        raise ConfigError(
            f"{_shown(part)} has no {key!r} to edit",
            location=calling_token(),
            help=did_you_mean(str(key), written) or f"it has {', '.join(written)}",
        )


def _inner(value: Any) -> Any:
    return Editor(value) if isinstance(value, dict | list) else value


def _shown(part: Any) -> str:
    if isinstance(part, dict) and dict.__contains__(part, "type"):
        return f"{dict.__getitem__(part, 'type')!s}(...)"
    return f"a {'dict' if isinstance(part, dict) else type(part).__name__}"


def _refuse_shared(part: Any) -> None:
    """Refuse to edit what stands under two names: the other one would change as well."""
    frame = calling_frame()
    if frame is None:
        return
    values = {k: v for k, v in frame.f_globals.items() if not k.startswith("__")}
    names = [name for name, value in values.items() if value is part]
    if len(names) > 1:
        names = [name for name in names if name not in _loop_variables(frame)]
    if len(names) > 1:
        refuse(
            f"{' and '.join(names)} are the same object, so editing one changes the other",
            f"write {names[1]} = copy({names[0]}) first",
        )
    sections = {name: values[name] for name in RUNNER_SECTIONS if name in values}
    for searched in (sections, *({name: value} for name, value in values.items())):
        places = places_of(searched, part)
        if len(places) > 1:
            refuse(
                f"{' and '.join(places)} are the same object, so editing one changes the other",
                "give one of them a copy(...) of it, or make the change where the object is made",
            )


def _loop_variables(frame: FrameType) -> set[str]:
    """The names that loops of the file bind, which are no names of the config's parts."""
    tree = ast.parse("".join(linecache.getlines(frame.f_code.co_filename)))
    targets = (node.target for node in ast.walk(tree) if isinstance(node, ast.For))
    bound = itertools.chain(*map(ast.walk, targets))
    return {node.id for node in bound if isinstance(node, ast.Name)}
