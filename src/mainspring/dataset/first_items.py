"""A data set cut to its first items, for trying things out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mainspring.dataset.workers.batch_fetch import loads_batches

__all__ = ["FirstItems"]


class FirstItems:
    """The first items of a data set; everything else is the data set's own.

    Args:
        dataset: A map-style data set.
        length: How many items to keep at most.
    """

    def __init__(self, dataset: Any, length: int) -> None:
        self._dataset = dataset
        self._length = min(length, len(dataset))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: Any) -> Any:
        return self._dataset[index]

    @property
    def _inner_datasets(self) -> list[Any]:
        return [self._dataset]

    def __getitems__(self, indices: Sequence[Any]) -> Any:
        if loads_batches(self):
            return self._dataset.__getitems__(indices)
        return [self[index] for index in indices]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__") or name == "_dataset":  # as when it is being unpickled
            raise AttributeError(name)
        return getattr(self._dataset, name)
