"""Threads that load batches ahead, for items whose work lets go of Python's lock.

Threads share the data set and the process, so nothing is copied or sent. They share the global
generators with the training as well, which draws from them at the same time: items that do so are
refused. Generators that a data set keeps for itself are copied for each thread, and seeded for each
item as in worker processes, so that an item draws the same numbers here and there.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch.utils.data._utils import pin_memory
from torch.utils.data.dataloader import _SingleProcessDataLoaderIter

from mainspring.dataset.workers.sample_view import SampleView
from mainspring.errors import ConfigError
from mainspring.rng.global_generators import undone_draws

__all__ = ["ThreadedBatches", "check_threads"]


class ThreadedBatches(_SingleProcessDataLoaderIter):
    """The batches of a pass in order, each loaded by one of several threads.

    The first batch of a pass is loaded here, where it shows whether items draw from the global
    generators.

    Args:
        loader: The loader, with the plan of its indices and a `SampleView` as data set.
        threads: How many.
        ahead: Batches that each thread loads ahead.
    """

    def __init__(self, loader: Any, threads: int, ahead: int) -> None:
        super().__init__(loader)
        self._view: SampleView = loader.dataset
        self._most = threads * ahead
        self._views = threading.local()
        self._waiting: deque[Future[Any]] = deque()
        self._pool = ThreadPoolExecutor(threads, "thread of the loader")
        self._end = weakref.finalize(self, self._pool.shutdown, wait=False, cancel_futures=True)
        self._is_first = True

    def _next_data(self) -> Any:
        if self._is_first:
            batch = self._watched(next(self._sampler_iter))
            self._is_first = False
            self._fill()
        else:
            self._fill()
            if not self._waiting:
                self._end()
                raise StopIteration
            batch = self._waiting.popleft().result()
            self._fill()
        if self._pin_memory:
            batch = pin_memory.pin_memory(batch, self._pin_memory_device)  # type: ignore[no-untyped-call]  # - torch's
        return batch

    def _fill(self) -> None:
        """Give the threads batches to load; indices are taken here."""
        while len(self._waiting) < self._most:
            try:
                index = next(self._sampler_iter)
            except StopIteration:
                return
            self._waiting.append(self._pool.submit(self._load, index))

    def _load(self, index: Any) -> Any:
        """Load a batch, or an item where there are no batches."""
        view: SampleView | None = getattr(self._views, "of_thread", None)
        if view is None:
            view = self._views.of_thread = self._view.in_thread()
        return view.__getitems__(index) if self._auto_collation else view[index]

    def _watched(self, index: Any) -> Any:
        """Load a batch, and see that nothing was drawn from a global generator.

        Raises:
            ConfigError: Something was.
        """
        with undone_draws() as drawn:
            batch = self._load(index)
        if drawn:
            raise ConfigError(
                f"items of {type(self._view.dataset).__name__} draw from the global generator of "
                f"{' and '.join(drawn)}, which threads share with the training",
                help="let the data set draw from a generator that it keeps, such as self.rng = "
                "numpy.random.default_rng(): it is seeded for each item; or use num_workers",
            )
        return batch

    def _shutdown_workers(self) -> None:
        """End the threads: those that are loading end with their batch."""
        self._end.detach()
        self._pool.shutdown(wait=True, cancel_futures=True)
        self._waiting.clear()


def check_threads(threads: int, num_workers: int, is_seeded: bool) -> None:
    """Refuse threads where there is nothing for them to do.

    Args:
        threads: How many.
        num_workers: How many worker processes.
        is_seeded: Whether each item has its own random numbers.

    Raises:
        ConfigError: They do not go together.
    """
    if threads < 0:
        raise ConfigError(f"threads is {threads}", help="give how many, or 0 for none")
    if threads and num_workers:
        raise ConfigError(
            f"threads={threads} and num_workers={num_workers}", help="give one of them"
        )
    if threads and not is_seeded:
        raise ConfigError(
            "threads load items of a map-style data set that are seeded one by one",
            help="use num_workers for a stream, or with sample_rng='worker'",
        )
