"""The data set as torch's iterators see it: one that seeds, collates, and names failing items."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable, Sequence
from typing import Any

from torch.utils.data import get_worker_info

from mainspring.dataset.collate import owner_of
from mainspring.dataset.workers.batch_fetch import loads_batches
from mainspring.dataset.workers.item_names import NamedItems, naming, note_collating
from mainspring.dataset.workers.tensor_rows import TensorRows, draws_nothing
from mainspring.dataset.workers.worker_life import leave_signals_to_parent
from mainspring.dataset.workers.worker_reports import Failure, Sent, Watch
from mainspring.errors import DataError
from mainspring.rng.generator_use import GeneratorUse
from mainspring.rng.item_seeds import ItemSeeds
from mainspring.rng.own_generators import with_generators_copied

__all__ = ["SampleView", "WorkerStart", "as_it_is"]


class SampleView:
    """Loads and collates batches of ``(streams, indices)`` from a map-style data set.

    An item's generators are seeded from `seed`, its stream (the epoch, as a rule) and its index. A
    data set that loads batches is called once for each batch, seeded as the first item would be:
    what is drawn then depends on the batch, yet on nothing else. In the main process the generators
    are put back after each batch, collating included.

    Args:
        dataset: The real data set.
        collate: Makes a batch of items, or, where there are no batches, converts an item.
        seed: Seed of the run.
        use: What is known of the generators that items draw from; ``None`` seeds none.
    """

    def __init__(
        self, dataset: Any, collate: Callable[[Any], Any], seed: int, use: GeneratorUse | None
    ) -> None:
        self.dataset = dataset
        self._collate = collate
        self._seed = seed
        self._use = None if draws_nothing(dataset, collate) else use
        self._rows = TensorRows.of(dataset, collate)
        self._loads_batches = loads_batches(dataset)
        self._puts_back = True
        self._watch: Watch | None = None
        self._is_first = use is not None and not use.was_shown
        if use is not None:
            use.was_shown = True

    def in_thread(self) -> SampleView:
        """What a thread sees, which must not touch the global generators: it has its own."""
        view = copy.copy(self)
        view.dataset = with_generators_copied(self.dataset)
        view._collate = with_generators_copied(self._collate)
        view._use = GeneratorUse.of(view.dataset, owner_of(view._collate))
        view._puts_back = False
        return view

    def begin_in_worker(self) -> None:
        """Seed the generators that data set and collate function keep: these are copies of them."""
        if self._use is not None:
            self._use.add_own(self.dataset, owner_of(self._collate))
            info = get_worker_info()
            if self._is_first and info is not None and info.id == 0:
                self._watch = Watch(self.dataset, self._collate)

    def started_in_worker(self, worker_id: int) -> None:
        """Called once the user's own function has run there.

        Args:
            worker_id: Number of the worker.
        """

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, tagged: tuple[int, Any]) -> Any:
        stream, index = tagged
        return self._guarded(lambda: self._collate(self._items(stream, [index])[0]))

    def __getitems__(self, tagged: tuple[int | list[int], list[Any]]) -> Any:
        return self._guarded(lambda: self._batch(*tagged))

    def _batch(self, streams: int | list[int], indices: list[Any]) -> Any:
        if self._rows is not None and (batch := self._rows.batch(indices)) is not None:
            return batch
        items = self._items(streams, indices)
        try:
            return self._collate(items)
        except Exception as error:
            note_collating(error, self.dataset, indices, items)
            raise

    def _items(self, streams: int | list[int], indices: list[Any]) -> Any:
        use = self._use
        if use is not None and use.needs_seeds and len(indices):
            use.begin_batch(ItemSeeds(self._seed, streams, indices))
        else:
            use = None
        if self._loads_batches and len(indices):
            return self._loaded(self.dataset.__getitems__, [indices], use)[0]
        return self._loaded(self.dataset.__getitem__, indices, use)

    def _loaded(
        self, load: Callable[[Any], Any], indices: Sequence[Any], use: GeneratorUse | None
    ) -> list[Any]:
        """What `load` gives for each index, with its generators seeded just before."""
        loaded: list[Any] = []
        keep = loaded.append
        index: Any = None
        try:
            if use is None:
                for index in indices:
                    keep(load(index))
            elif use.is_learning:
                for index in indices:
                    use.begin_item()
                    keep(load(index))
                    use.end_item()
            else:
                seed_next = use.seed_next
                for index in indices:
                    for seed in seed_next:
                        seed()
                    keep(load(index))
        except Exception as error:
            named = naming(error, self.dataset, index)
            if named is error:
                raise
            raise named from error
        return loaded

    def _guarded(self, load: Callable[[], Any]) -> Any:
        try:
            use = self._use if self._puts_back else None
            watch = self._watch if self._watch is not None and self._watch.is_watching else None
            if watch is not None:
                watch.begin_batch()
            batch = load() if use is None else use.load_batch(load)
            if watch is None:
                return batch
            note, info = watch.look(), get_worker_info()
            return Sent(batch, info.id, note=note) if note and info is not None else batch
        except Exception as error:
            if get_worker_info() is None:
                raise
            error.add_note("in the worker:\n" + "".join(traceback.format_tb(error.__traceback__)))
            return Failure(_able_to_travel(error))


def _able_to_travel(error: Exception) -> Exception:
    """The error if it can be sent to the main process and is the same there, or else its text.

    With an error that cannot be pickled, torch's workers would wait for ever.
    """
    try:
        if type(pickle.loads(pickle.dumps(error))) is type(error):
            return error
    except Exception:  # noqa: BLE001 - whatever goes wrong, the text is left
        pass
    substitute = DataError(f"{type(error).__name__}: {error}")
    for note in getattr(error, "__notes__", ()):
        substitute.add_note(note)
    return substitute


def as_it_is(batch: Any) -> Any:
    """The collate function of torch's iterators, to whom `SampleView` gives whole batches."""
    return batch


class WorkerStart:
    """Begins a worker: shows users the real data set, then runs their own function.

    Signals are left to the parent process, see `mainspring.dataset.workers.worker_life`.

    Args:
        worker_init_fn: The user's function, called with the worker's number.
    """

    def __init__(self, worker_init_fn: Callable[[int], None] | None) -> None:
        self._worker_init_fn = worker_init_fn

    def __call__(self, worker_id: int) -> None:
        """Run in the worker, before it loads anything."""
        info, view = get_worker_info(), None
        if info is not None and isinstance(info.dataset, SampleView | TensorRows | NamedItems):
            if isinstance(info.dataset, SampleView):
                view = info.dataset
                view.begin_in_worker()
            # WorkerInfo refuses assignments once it is made.
            object.__setattr__(info, "dataset", info.dataset.dataset)
        leave_signals_to_parent()
        if self._worker_init_fn is not None:
            self._worker_init_fn(worker_id)
        if view is not None:
            view.started_in_worker(worker_id)
