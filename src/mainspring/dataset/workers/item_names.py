"""Which item of which data set an error came from, and from which file the item is."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from torch.utils.data import Subset, get_worker_info

from mainspring.dataset.workers.batch_fetch import loads_batches
from mainspring.errors import DataError
from mainspring.structures.in_words import in_words

__all__ = ["NamedItems", "naming", "note_collating"]

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
    error.add_note(f"while loading {name}{_advice(error, dataset)}")
    return error


def _advice(error: Exception, dataset: Any) -> str:
    if isinstance(error, IndexError) and hasattr(dataset, "__len__"):
        return f": its __len__ says {len(dataset)}; are there as many items?"
    if "CUDA" in str(error):
        return (
            ": a data set gives tensors of the CPU (leave out .cuda() and .to()); batches are "
            "moved to the device of the model"
        )
    return ""


def _name(dataset: Any, index: Any) -> str:
    worker = get_worker_info()
    here = threading.current_thread()
    is_main = here is threading.main_thread() or not here.name.startswith("thread of")
    place = "in the main process" if is_main else f"in a {here.name.rpartition('_')[0]}"
    place = place if worker is None else f"in worker {worker.id}"
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


def note_collating(error: Exception, dataset: Any, indices: Sequence[Any], items: Any) -> None:
    """Name the items of a batch that could not be put together: those unlike the others.

    Args:
        error: What the collate function raised.
        dataset: The data set.
        indices: Of the items.
        items: The items.
    """
    name = type(dataset).__name__
    listed = f"{indices[:3]}"[:-1] + f", ...] ({len(indices)})" if len(indices) > 4 else indices
    if not isinstance(items, list) or len(items) != len(indices):
        error.add_note(f"while collating items {listed} of {name}")
        return
    words = [in_words(item, values=False) for item in items]
    common, count = Counter(words).most_common(1)[0]
    unlike = [number for number, text in enumerate(words) if text != common]
    if common == "None":
        error.add_note(
            f"all or most items of this batch are None ({listed} of {name}): does its "
            "__getitem__ end without a return?"
        )
    elif unlike and count > 1:
        shown = "; ".join(f"item {indices[n]} is {words[n]}" for n in unlike[:3])
        more = f" and {len(unlike) - 3} more" if len(unlike) > 3 else ""
        error.add_note(
            f"while collating {len(items)} items of {name}: {shown}{more}; the others are "
            f"{common}. Items of a batch have to be alike: return something for each, of one "
            "size, or give a collate_fn of your own"
        )
    else:
        error.add_note(
            f"while collating items {listed} of {name}; the first is {words[0]}: items of a batch "
            "have to be alike, of what can be stacked, or collated by a collate_fn of your own"
        )


class NamedItems:
    """A map-style data set as torch's own loaders see it: its errors name the item.

    Args:
        dataset: The real data set.
        collate: The collate function of the loader.
    """

    def __init__(self, dataset: Any, collate: Callable[[Any], Any]) -> None:
        self.dataset = dataset
        self._collate = collate
        self._loads_batches = loads_batches(dataset)
        self._indices: list[Any] = []

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self._load(self.dataset.__getitem__, index)

    def __getitems__(self, indices: list[Any]) -> Any:
        self._indices = indices
        if self._loads_batches:
            return self._load(self.dataset.__getitems__, indices)
        return [self[index] for index in indices]

    def collate(self, items: Any) -> Any:
        """The loader's collate function, called with the items that were loaded last."""
        try:
            return self._collate(items)
        except Exception as error:
            note_collating(error, self.dataset, self._indices, items)
            raise

    def _load(self, load: Callable[[Any], Any], index: Any) -> Any:
        try:
            return load(index)
        except Exception as error:
            named = naming(error, self.dataset, index)
            if named is error:
                raise
            raise named from error
