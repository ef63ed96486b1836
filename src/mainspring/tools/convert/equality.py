"""Whether two configs describe the same run."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mainspring.comparison import pairs, same_numbers
from mainspring.config.config import Config
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.lazy import dotted_path, is_lazy
from mainspring.config.node import Node
from mainspring.names import origin_of
from mainspring.registry.recorded import POSITIONAL_KEY
from mainspring.tools.convert.names import Names, find_import, import_or_none

__all__ = ["differences", "public", "same_config"]


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
    return list(differences(public(one._own_values()), public(other._own_values()), names))


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
        if dict.__contains__(old, POSITIONAL_KEY) != dict.__contains__(new, POSITIONAL_KEY):
            for node in (old, new):
                if isinstance(node, Node):
                    node.bind()
        for key, left, right in pairs(dict(dict.items(old)), dict(dict.items(new))):
            here = f"{path}.{key}" if path else str(key)
            name, target = (left, right) if isinstance(left, str) else (right, left)
            if key == "type" and isinstance(name, str) and not isinstance(target, str):
                meaning = names.find(name, keys)
                if meaning is not None and _is_same(meaning.target, _imported(target)):
                    continue
            yield from differences(left, right, names, (*keys, str(key)), here)
    elif isinstance(old, list | tuple) and type(old) is type(new) and len(old) == len(new):
        for index, (left, right) in enumerate(zip(old, new, strict=True)):
            yield from differences(left, right, names, keys, f"{path}.{index}")
    elif not _same_leaf(old, new):
        yield path


def _is_same(one: Any, other: Any) -> bool:
    return one is other or (isinstance(one, str) and one == other)


def _imported(value: Any) -> Any:
    """What an imported name stands for; other values as they are."""
    if not is_lazy(value):
        return value
    path, origin = dotted_path(value), origin_of(value)
    module, _, name = path.rpartition(".")
    found = find_import(module, name, origin)[1] if module else import_or_none(path, origin)
    # What is not installed is the same when its path is.
    return path if found is None else found


def _same_leaf(old: Any, new: Any) -> bool:
    if is_lazy(old) or is_lazy(new):
        return _is_same(_imported(old), _imported(new))
    if isinstance(old, str) and isinstance(new, str):
        return old == new
    if type(old) is not type(new):
        return False
    if isinstance(old, float):
        return same_numbers(old, new)
    try:
        return bool(old == new)
    except (ValueError, RuntimeError, TypeError):
        return old is new
