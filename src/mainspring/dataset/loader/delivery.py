"""Batches on their way to the user, counted when they arrive."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from mainspring.dataset.loader.device_prefetch import Copies, DevicePrefetcher
from mainspring.dataset.order.index_plan import IndexPlan
from mainspring.dataset.workers.worker_reports import Failure, Sent
from mainspring.dataset.workers.worker_streams import WorkerStreams
from mainspring.logging import warn

__all__ = ["Delivery", "Position"]


@dataclass(slots=True)
class Position:
    """How far an iteration has come.

    Attributes:
        epoch: Its epoch.
        batches: Batches of the epoch that were given out.
        samples: Samples of this rank that were left out at the beginning.
        first_batch: Batches that were left out at the beginning.
        is_finished: Whether there was no further batch.
    """

    epoch: int = 0
    batches: int = 0
    samples: int = 0
    first_batch: int = 0
    is_finished: bool = False

    @property
    def was_used(self) -> bool:
        """Whether any batch was given out."""
        return self.is_finished or self.batches > self.first_batch

    def samples_after(self, batch_size: int | None) -> int:
        """Samples given out, where all batches but the last have this size."""
        return self.samples + (self.batches - self.first_batch) * (batch_size or 0)


class Delivery:
    """Gives out batches and counts them.

    Args:
        batches: What torch's iterator gives.
        position: Where they are counted.
        plan: Which indices they are made of; is told of each.
        streams: Where the workers stand; is told of each.
    """

    __slots__ = ("__weakref__", "_batches", "_plan", "_position", "_streams")

    def __init__(
        self,
        batches: Iterator[Any],
        position: Position,
        plan: IndexPlan | None = None,
        streams: WorkerStreams | None = None,
    ) -> None:
        self._batches = batches
        self._position = position
        self._plan = plan
        self._streams = streams

    @property
    def is_finished(self) -> bool:
        """Whether there was no further batch."""
        return self._position.is_finished

    @property
    def draws_order(self) -> bool:
        """Whether the next indices may be drawn from the global generators."""
        return self._plan is not None

    def copy_ahead(self, copies: Copies) -> None:
        """Copy each batch to a device before it is asked for.

        Args:
            copies: How batches get there.
        """
        self._batches = DevicePrefetcher(self._batches, copies)

    def __iter__(self) -> Delivery:
        return self

    def __len__(self) -> int:
        return len(self._batches)  # type: ignore[arg-type]  # - torch's iterators have a length

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            self._position.is_finished = True
            raise
        if type(batch) is Sent:
            if batch.note:
                warn(batch.note)
            if batch.states and self._streams is not None:
                self._streams.took(batch)
            elif batch.batch is None:
                return next(self)  # the turn of a worker that had it before the run was resumed
            batch = batch.batch
        if type(batch) is Failure:
            error = batch.error
            try:
                raise error
            finally:
                # The traceback holds this frame: a frame that held the error would keep the
                # iterator, and its workers, until the garbage collector runs.
                del batch, error
        self._position.batches += 1
        if self._plan is not None:
            self._plan.delivered()
        return batch
