"""Where one part of a config stands in several places, as in the program that wrote it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from mainspring.config.provenance.places import steps_to
from mainspring.errors import ConfigError
from mainspring.registry.shared import repeated_calls
from mainspring.walk import items_of, paths_of

__all__ = ["MOST_VALUES", "first_places", "places_of", "refuse_endless", "with_sharing_said"]

_MOST_PLACES = 3
"""How many places of one part a message names."""

MOST_VALUES = 1_000_000
"""As many as a config holds at most, counting what stands in several places at each of them."""


def places_of(values: Mapping[Any, Any], part: Any) -> list[str]:
    """The dotted paths at which a part stands, the first ones of them.

    Args:
        values: The config, or top-level names of a file.
        part: Recorded call, dict or list; it is looked for by identity.
    """
    places = (".".join(map(str, keys)) for keys, item in paths_of(values) if item is part)
    return list(islice(places, _MOST_PLACES))


def refuse_endless(values: Any) -> None:
    """Refuse data in which a few shared calls stand for endlessly many places.

    Args:
        values: What was read.

    Raises:
        ConfigError: There are too many of them.
    """
    sizes: dict[int, int] = {}

    def size(value: Any) -> int:
        if not isinstance(value, dict | list | tuple):
            return 1
        if id(value) not in sizes:
            sizes[id(value)] = 1
            sizes[id(value)] = 1 + sum(size(item) for _, item in items_of(value))
        return sizes[id(value)]

    if size(values) > MOST_VALUES:
        raise ConfigError(f"the file stands for more than {MOST_VALUES} values")


def first_places(values: Mapping[Any, Any]) -> dict[str, str]:
    """For each place of a call that stands in several: the first of its places.

    Args:
        values: The config.
    """
    shared = repeated_calls(values)
    first: dict[int, str] = {}
    found: dict[str, str] = {}

    def visit(value: Any, prefix: str) -> None:
        for key, item in items_of(value):
            path = f"{prefix}{key}"
            if id(item) in shared:
                found[path] = first.setdefault(id(item), path)
                if found[path] != path:
                    continue
            visit(item, f"{path}.")

    visit(values, "")
    return found


def with_sharing_said(values: Mapping[Any, Any], paths: Iterable[str]) -> tuple[str, ...]:
    """The paths, once it is said which other places changed with them.

    That is so where a call around a value stands in several places.

    Args:
        values: The config.
        paths: Dotted paths of values that were changed.
    """
    changed = tuple(paths)
    shared = repeated_calls(values)
    for path in changed if shared else ():
        steps = steps_to(values, path.split(".")[:-1])
        around = [step.value for step in steps if id(step.value) in shared]
        if around:
            places = " and ".join(places_of(values, around[-1]))
            warnings.warn(f"{path} changes {places}, which are the same object", stacklevel=3)
    return changed
