"""Whether a data set was changed since its workers were started.

Workers that stay from epoch to epoch load from the copy of the data set that they were given. A
hook that changes the data set between two epochs, its pipeline for example, needs new workers.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

__all__ = ["DatasetState"]

_LONGEST_LIST = 100
_MOST_OBJECTS = 1000
_NOT_LOOKED_INTO = (
    type,
    types.ModuleType,
    types.FunctionType,
    types.MethodType,
    torch.Tensor,
    np.ndarray,
    torch.Generator,
)


class DatasetState:
    """Which objects a data set consists of: itself, its attributes, theirs, and so on.

    An object counts as changed when one of its attributes, or an entry of a short list, tuple or
    dict, is another object than before. What changes inside of long lists, arrays and generators is
    not noticed, and of very large object trees only the beginning is looked at.

    Args:
        dataset: The data set as it is now.
    """

    def __init__(self, dataset: Any) -> None:
        self._objects = list(_objects_of(dataset))

    def is_still(self, dataset: Any) -> bool:
        """Whether it is the same one, unchanged.

        Args:
            dataset: The data set as it is now.
        """
        now = list(_objects_of(dataset))
        return len(now) == len(self._objects) and all(
            new is old for new, old in zip(now, self._objects, strict=True)
        )


def _objects_of(root: Any) -> Iterator[Any]:
    """The objects of a tree, breadth first, each with its type."""
    waiting = [root]
    seen: set[int] = set()
    for _ in range(_MOST_OBJECTS):
        if not waiting:
            return
        found = waiting.pop(0)
        yield found
        if id(found) in seen or isinstance(found, _NOT_LOOKED_INTO):
            continue
        seen.add(id(found))
        yield type(found)
        waiting += _inside(found)


def _inside(found: Any) -> list[Any]:
    if isinstance(found, list | tuple | dict):
        if len(found) > _LONGEST_LIST:
            return []
        return list(found.values()) if isinstance(found, dict) else list(found)
    return list(getattr(found, "__dict__", {}).values())
