"""Whether two configs describe the same run."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainspring.config.config import Config
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.convert.names import Names, find_import
from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.utils.imports import get_object_from_string

__all__ = ["differences", "own_values", "public", "same_config"]

_MISSING = object()


def same_config(old: Config | str | Path, new: Config | str | Path) -> list[str]:
    """Where two configs differ, if a ``type`` in a string equals what it names.

    Names with a leading underscore and names that a file merely imports are no part of a config.

    Args:
        old: A config, or the path of one.
        new: The other one.

    Returns:
        Dotted paths of the values that differ, none when the configs are the same.
    """
    one, other = (
        cfg if isinstance(cfg, Config) else Config.fromfile(cfg, import_custom_modules=False)
        for cfg in (old, new)
    )
    with keeping_lazy():
        scope = one.get("default_scope")
    names = Names(scope if isinstance(scope, str) else None)
    return list(differences(own_values(one), own_values(other), names))


def own_values(cfg: Config) -> dict[Any, Any]:
    """The values of a config without what it imports and without private names.

    Args:
        cfg: The config.
    """
    return public(cfg._own_values())


def public(values: dict[Any, Any]) -> dict[Any, Any]:
    """What is left without private names.

    Args:
        values: The values of a config.
    """
    return {
        key: value
        for key, value in dict.items(values)
        if not (isinstance(key, str) and key.startswith("_"))
    }


def differences(
    old: Any, new: Any, names: Names, keys: tuple[str, ...] = (), path: str = ""
) -> Iterator[str]:
    """The dotted paths at which two values differ.

    Args:
        old: A value.
        new: The other one.
        names: Says what strings mean.
        keys: The keys that lead to both.
        path: The same, as text.
    """
    if isinstance(old, dict) and isinstance(new, dict):
        one, other = _items(old), _items(new)
        if (POSITIONAL_KEY in one) != (POSITIONAL_KEY in other):
            one, other = _items(old, bound=True), _items(new, bound=True)
        for key in dict.fromkeys([*one, *other]):
            here = f"{path}.{key}" if path else str(key)
            left, right = one.get(key, _MISSING), other.get(key, _MISSING)
            if key == "type" and _same_type(left, right, names, keys):
                continue
            yield from differences(left, right, names, (*keys, str(key)), here)
    elif isinstance(old, list | tuple) and type(old) is type(new) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differences(left, right, names, keys, f"{path}.{index}")
    elif not _same_leaf(old, new):
        yield path


def _items(value: dict[Any, Any], bound: bool = False) -> dict[Any, Any]:
    if bound and isinstance(value, Node):
        value.bind()
    return dict(dict.items(value))


def _same_type(old: Any, new: Any, names: Names, keys: tuple[str, ...]) -> bool:
    if old is _MISSING or new is _MISSING:
        return False
    if isinstance(old, str) and isinstance(new, str):
        return old == new
    one, other = (_meant(value, names, keys) for value in (old, new))
    return one is not None and (one is other or (isinstance(one, str) and one == other))


def _meant(value: Any, names: Names, keys: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        found = names.find(value, keys)
        return None if found is None else found.target
    return _imported(value) if is_lazy(value) else value


def _imported(value: Any) -> Any:
    path = dotted_path(value)
    module, _, name = path.rpartition(".")
    found = find_import(module, name)[1] if module else get_object_from_string(path)
    # What is not installed is the same when its path is.
    return path if found is None else found


def _same_leaf(old: Any, new: Any) -> bool:
    if is_lazy(old) or is_lazy(new):
        one, other = (_imported(value) if is_lazy(value) else value for value in (old, new))
        return one is other or (isinstance(one, str) and one == other)
    if type(old) is not type(new):
        return False
    if isinstance(old, float) and math.isnan(old):
        return math.isnan(new)
    try:
        return bool(old == new)
    except (ValueError, RuntimeError, TypeError):
        return old is new
