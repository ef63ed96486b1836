"""How a child config changes its bases, and options change a config.

Dicts are merged key by key; everything else, lists and tuples too, is replaced whole. A dict in the
place of something that is no dict is a mistake unless it says ``_delete_=True``, which drops what
it replaces. With list keys, the dict ``{"0": ...}`` changes items of a list.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from mainspring.config.config_dict import (
    DELETE_KEY,
    ConfigDict,
    duplicate,
    keeping_lazy,
    replaces_whole,
)
from mainspring.config.node import Node
from mainspring.config.provenance.marks import overlay
from mainspring.config.source import LoadedConfig
from mainspring.errors import ConfigKeyError, ConfigTypeError, Location

__all__ = ["join_bases", "leaf_paths", "merge", "nest"]


def merge(
    base: Any, child: dict[Any, Any], *, allow_list_keys: bool = False, path: str = ""
) -> Any:
    """A base with the changes of a child; neither of them is changed.

    Args:
        base: Dict, or a list when list keys are allowed.
        child: The changes.
        allow_list_keys: Whether a dict with numbers as keys changes items of a list.
        path: Dotted path of the base in the whole config, for errors.

    Raises:
        TypeError: If a dict would take the place of something that is no dict.
        KeyError: If a list has no item of a given number.
    """
    result = duplicate(base, {})
    _merge_into(result, child, {}, allow_list_keys, path)
    return result


def _merge_into(
    result: Any, child: dict[Any, Any], memo: dict[int, Any], allow_list_keys: bool, path: str
) -> None:
    """Change a copy in place, so that a part which stands in several places changes in all."""
    for key, value in dict.items(child):
        if key == DELETE_KEY:
            continue
        here = f"{path}.{key}" if path else str(key)
        if isinstance(result, Node) and not dict.__contains__(result, key):
            with keeping_lazy(False):
                result.bind()  # the key may be a parameter that is given by position
        at: Any = _index(result, key, here) if isinstance(result, list) else key
        exists = isinstance(result, list) or dict.__contains__(result, key)
        old = result[at] if isinstance(result, list) else dict.get(result, key)
        replaces = not isinstance(value, dict) or replaces_whole(value, here)
        if not replaces and exists:
            if isinstance(old, dict) or (allow_list_keys and isinstance(old, list)):
                _merge_into(old, value, memo, allow_list_keys, here)
                if isinstance(result, dict):
                    overlay(result, key, child, old)
                continue
            raise ConfigTypeError(
                f"{dict(dict.items(value))!r} is a dict and cannot be merged into {old!r}, which "
                f"the base has in its place and which is of type {type(old).__name__}",
                config_path=here,
                help="add _delete_=True to the dict to replace what the base has",
            )
        new = duplicate(value, memo, marks=False)
        if isinstance(result, list):
            result[at] = new
        else:
            dict.__setitem__(result, key, new)
            overlay(result, key, child, old)


def _index(items: list[Any], key: Any, path: str) -> int:
    text = str(key)
    if not text.isdecimal():
        raise ConfigTypeError(
            f"{text!r} is no index of a list", config_path=path, help="an index is a number, from 0"
        )
    if int(text) >= len(items):
        raise ConfigKeyError(
            f"the index {text} exceeds the length of the list, {len(items)}",
            config_path=path,
            help=f"the last index is {len(items) - 1}" if items else "the list is empty",
        )
    return int(text)


def nest(options: dict[str, Any]) -> ConfigDict:
    """Dicts inside of each other for dotted keys: ``{"a.b": 1}`` becomes ``{"a": {"b": 1}}``.

    Args:
        options: Values by dotted key.
    """
    result = ConfigDict()
    for dotted, value in dict.items(options):
        *parents, last = dotted.split(".")
        inner = result
        for part in parents:
            below = dict.get(inner, part)
            if not isinstance(below, ConfigDict):
                below = ConfigDict()
                dict.__setitem__(inner, part, below)
            inner = below
        inner[last] = value
    return result


def join_bases(bases: Iterable[LoadedConfig], location: Location | None) -> ConfigDict:
    """The values of several bases of one file in one dict.

    A key may be in two of them only when both have it from the same files and with the same value.

    Args:
        bases: What the bases yield.
        location: Where the file names them.

    Raises:
        KeyError: If a key is in two bases.
    """
    joined = ConfigDict()
    owner: dict[Any, LoadedConfig] = {}
    duplicates: dict[Any, LoadedConfig] = {}
    for base in bases:
        for key, value in dict.items(base.values):
            other = owner.setdefault(key, base)
            if other is not base and not _same(other, base, key):
                duplicates[key] = base
            dict.__setitem__(joined, key, value)
            overlay(joined, key, base.values)
    if duplicates:
        places = [
            f"{key!r} is in {owner[key].sources[-1].path} and in {base.sources[-1].path}"
            for key, base in duplicates.items()
        ]
        raise ConfigKeyError(
            f"Duplicate key is not allowed among bases: {'; '.join(places)}",
            location=location,
            help="keep it in one of them, or make one of these files the base of the other",
        )
    return joined


def _same(one: LoadedConfig, other: LoadedConfig, key: Any) -> bool:
    if key in one.imported_names and key in other.imported_names:
        return True
    if one.origins.get(key) != other.origins.get(key):
        return False
    left, right = dict.__getitem__(one.values, key), dict.__getitem__(other.values, key)
    try:
        return bool(left == right)
    except (ValueError, RuntimeError, TypeError):
        return False  # tensors and arrays have no single answer


def leaf_paths(changes: ConfigDict, prefix: str = "") -> Iterator[str]:
    """The dotted paths of the values in nested dicts.

    Args:
        changes: The dicts.
        prefix: What each path begins with.
    """
    for key, value in dict.items(changes):
        path = f"{prefix}{key}"
        if isinstance(value, ConfigDict) and value:
            yield from leaf_paths(value, f"{path}.")
        else:
            yield path
