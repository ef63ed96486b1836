"""Which item of which data set an error came from, and from which file the item is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from torch.utils.data import Subset, get_worker_info

from mainspring.dataset.batch_fetch import loads_batches
from mainspring.errors import DataError

__all__ = ["NamedItems", "naming"]

_ENDINGS = ("path", "file", "filename", "file_name")


def naming(error: Exception, dataset: Any, index: Any) -> Exception:
    """The error to raise for an item that could not be loaded, with a note that names the item.

    Args:
        error: What was raised.
        dataset: The data set.
        index: Index of the item, or a list of indices that were asked for in one call.

    Returns:
        The error itself; another one in place of `StopIteration`, which would end the epoch as if
        there were no more batches.
    """
    name = _name(dataset, index)
    if isinstance(error, StopIteration):
        return DataError(f"{name} raised StopIteration")
    error.add_note(f"while loading {name}")
    return error


def _name(dataset: Any, index: Any) -> str:
    worker = get_worker_info()
    place = "in the main process" if worker is None else f"in worker {worker.id}"
    noun = "indices" if isinstance(index, list) else "index"
    file = "" if isinstance(index, list) else _file_of(dataset, index)
    return f"{noun} {index} of {type(dataset).__name__}{file} {place}"


def _file_of(dataset: Any, index: Any) -> str:
    """The files of an item, as far as its data set tells them without loading it."""
    try:
        while type(dataset) is Subset:
            dataset, index = dataset.dataset, dataset.indices[index]
        info = dataset.get_data_info(index)
        if not isinstance(info, Mapping):
            return ""
        files = [
            f"{key}: {value}"
            for key, value in info.items()
            if isinstance(value, str) and str(key).endswith(_ENDINGS)
        ]
    except Exception:  # noqa: BLE001 - whatever goes wrong here, the first error is what matters
        return ""
    return f" ({', '.join(files)})" if files else ""


class NamedItems:
    """A map-style data set as torch's own loaders see it: its errors name the item.

    Args:
        dataset: The real data set.
    """

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        if loads_batches(dataset):
            self.__getitems__ = self._items

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self._load(self.dataset.__getitem__, index)

    def _items(self, indices: list[Any]) -> Any:
        return self._load(self.dataset.__getitems__, indices)

    def _load(self, load: Callable[[Any], Any], index: Any) -> Any:
        try:
            return load(index)
        except Exception as error:
            named = naming(error, self.dataset, index)
            if named is error:
                raise
            raise named from error
