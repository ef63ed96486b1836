"""Which items come in which batch, from any batch on, and from which stream they draw numbers."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from torch.utils.data import (
    BatchSampler,
    DistributedSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

from mainspring.dataset.order.noted_draws import NotedDraws
from mainspring.dataset.order.samplers import DealtOrder, DefaultSampler, InfiniteSampler
from mainspring.dataset.order.token_batches import TokenBudgetBatchSampler
from mainspring.dist import get_dist_info
from mainspring.rng.item_seeds import mix

__all__ = ["IndexPlan"]


class IndexPlan:
    """Stands in for the (batch) sampler of a loader while torch's iterators read from it.

    It starts at any batch by leaving out indices, never by loading. With `tagged`, each batch is a
    pair (stream, indices): an item draws its random numbers from (seed, stream, index). The stream
    is the epoch where a sampler visits each item once an epoch, and the pass through the data for
    an endless sampler. For a sampler that may repeat an item within an epoch, it is a number of
    epoch, rank, batch and place in the batch, so that no two visits are alike.

    Attributes:
        ahead: Batches of indices that were taken and not yet delivered as data, where the order
            draws from the global generators: workers are given some batches ahead.
        resumed_ahead: Such batches of an earlier process, which iterations begin with until `skip`.
        draws: What is noted where the order draws from the global generators while it is read.
        epoch: Epoch of a sampler that does not know its own.
        first_batch: Batches that the next iteration leaves out.
        first_sample: Samples of this rank that it leaves out, where batches are cut from a plain
            sampler; more than whole batches after the batch size has changed.
        turns: Workers whose turn the next iteration leaves out, with ``None`` for their indices.

    Args:
        source: The batch sampler, or the sampler of a loader without batches.
        sampler: The sampler that `source` takes from, if it has one.
        tagged: Whether to give streams.
    """

    def __init__(self, source: Iterable[Any], sampler: Any, tagged: bool) -> None:
        self.source = source
        self.sampler = sampler
        self.tagged = tagged
        self.epoch = 0
        self.first_batch = 0
        self.first_sample = 0
        self.turns = 0
        self._in_batches = source is not sampler
        self._unskipped: _Rest | None = None
        self.ahead: deque[Any] = deque()
        self.resumed_ahead: list[Any] = []
        self.draws = NotedDraws(
            "another order. Let it draw the order at its start, or from a generator of its own"
        )

    @property
    def cuts_batches(self) -> int | None:
        """Batch size, where batches are consecutive samples of a plain sampler."""
        source = self.source
        return source.batch_size if type(source) is BatchSampler else None

    @property
    def is_endless(self) -> bool:
        """Whether the order is a stream without epochs."""
        return isinstance(self.sampler, InfiniteSampler)

    @property
    def draws_globally(self) -> bool:
        """Whether the order may depend on the global generators, as in a `RandomSampler`."""
        return not self.deals_batches and not self._is_of(
            DefaultSampler, DealtOrder, InfiniteSampler, SequentialSampler, DistributedSampler
        )

    @property
    def deals_batches(self) -> bool:
        """Whether ready batches of seed and epoch are dealt out over the ranks."""
        return isinstance(self.source, TokenBudgetBatchSampler)

    def _is_of(self, *kinds: type) -> bool:
        plain = self.source is self.sampler or type(self.source) is BatchSampler
        return plain and type(self.sampler) in kinds

    @property
    def current_epoch(self) -> int:
        """The sampler's own epoch, which hooks set, or else that of the loader."""
        epoch = getattr(self.sampler, "epoch", None)
        if isinstance(epoch, int) and hasattr(self.sampler, "set_epoch"):
            return epoch
        return self.epoch

    def set_epoch(self, epoch: int) -> None:
        """Tell whoever wants to know that an epoch begins."""
        self.epoch = epoch
        owners: tuple[Any, ...] = (self.sampler, self.source)
        for owner in owners:
            if hasattr(owner, "set_epoch"):
                owner.set_epoch(epoch)

    def take_from(self, sampler: Any) -> None:
        """Take another sampler in place of the one that batches are cut from."""
        if self.source is self.sampler:
            self.source = sampler
        else:
            self.source.sampler = sampler  # type: ignore[attr-defined]  # - a BatchSampler
        self.sampler = sampler

    def __len__(self) -> int:
        return len(self.source)  # type: ignore[arg-type]  # - torch's loader asks samplers for it, too

    def __iter__(self) -> Iterator[Any]:
        if self.tagged:
            return self._tagged(self.first_batch, self.first_sample)
        if not self.first_batch and not self.first_sample and not self.draws_globally:
            return iter(self.source)
        rest = self._untagged(self.first_batch, self.first_sample)
        return itertools.chain(itertools.repeat(None, self.turns), rest) if self.turns else rest

    def _untagged(self, first_batch: int, first_sample: int) -> Iterator[Any]:
        """Batches of indices from a position on."""
        if not self.draws_globally:
            return self._cut_out(first_batch, first_sample)
        resumed = self.resumed_ahead  # torch's iterators with workers ask twice when they begin
        if resumed:
            first_batch += len(resumed)
            first_sample += sum(map(len, resumed)) if self.cuts_batches else 0
        self.ahead = deque()
        rest = self.draws.noting(
            self._cut_out(first_batch, first_sample),
            self.sampler if self.cuts_batches else self.source,
            first_batch,
            draws_once=self._is_of(RandomSampler, SubsetRandomSampler, WeightedRandomSampler),
        )
        return self._remembered(resumed, rest, self.ahead)

    def _remembered(
        self, resumed: list[Any], rest: Iterator[Any], ahead: deque[Any]
    ) -> Iterator[Any]:
        for indices in itertools.chain(resumed, rest):
            ahead.append(indices)
            yield indices

    def state_dict(self) -> dict[str, Any]:
        """What the pass that is read needs besides its position, in plain types."""
        return {"ahead": list(self.ahead), **self.draws.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration go on with a pass of an earlier process.

        Args:
            state: What `state_dict` gave, among other things.
        """
        self.resumed_ahead = list(state.get("ahead", ()))
        self.draws.load_state_dict(state)

    def delivered(self) -> None:
        """The data of the batch of indices that was taken first have arrived."""
        if self.ahead:
            self.ahead.popleft()

    def _cut_out(self, first_batch: int, first_sample: int) -> Iterator[Any]:
        source = self.source
        if type(source) is not BatchSampler:
            return self._rest_of(source, first_batch)
        sampler: Any = source.sampler
        if type(sampler) is InfiniteSampler:
            rest: Iterator[Any] = (index for _, index in sampler.visits(first_sample))
        else:
            rest = self._rest_of(sampler, first_sample)
        return _cut(rest, source.batch_size, source.drop_last)

    def _rest_of(self, order: Iterable[Any], first: int) -> Iterator[Any]:
        if not first:
            return iter(order)
        self._unskipped = _Rest(order, first, self.draws, self.cuts_batches or 1)
        return self._unskipped

    def skip(self) -> None:
        """Leave out now what the iteration that has begun leaves out: the sampler draws now."""
        resumed, self.resumed_ahead = self.resumed_ahead, []
        if self._unskipped is not None:
            self._unskipped.skip()
            if resumed and len(resumed[-1]) < (self.cuts_batches or 0):
                next(self._unskipped, None)  # the end was met, where samplers may draw once more
            self._unskipped = None

    def _tagged(self, first_batch: int, first_sample: int) -> Iterator[tuple[Any, Any]]:
        source = self.source
        if type(source) is BatchSampler and type(source.sampler) is InfiniteSampler:
            visits: Iterator[Any] = source.sampler.visits(first_sample)
            batches = _cut(visits, source.batch_size, source.drop_last)
            pairs = (zip(*batch, strict=True) for batch in batches)
            return ((list(passes), list(indices)) for passes, indices in pairs)
        if source is self.sampler and isinstance(source, InfiniteSampler):
            return source.visits(first_batch)
        batches = self._untagged(first_batch, first_sample)
        epoch = self.current_epoch
        if _visits_once(self.sampler):
            return ((epoch, indices) for indices in batches)
        return self._with_places(batches, epoch, first_batch)

    def _with_places(
        self, batches: Iterator[Any], epoch: int, first_batch: int
    ) -> Iterator[tuple[Any, Any]]:
        """A stream for each place in each batch, since an item may be visited again."""
        rank, _ = get_dist_info()
        for number, indices in enumerate(batches, first_batch):
            stream = mix(mix(epoch, rank), number)
            if self._in_batches:
                yield [mix(stream, place) for place in range(len(indices))], indices
            else:
                yield stream, indices


class _Rest:
    """An order from a place on.

    Args:
        order: The whole order.
        first: How many to leave out.
        draws: What was noted of these.
        length: How many make a batch.
    """

    __slots__ = ("_draws", "_first", "_length", "_rest")

    def __init__(self, order: Iterable[Any], first: int, draws: NotedDraws, length: int) -> None:
        self._rest = iter(order)
        self._first = first
        self._draws = draws
        self._length = length

    def __iter__(self) -> _Rest:
        return self

    def __next__(self) -> Any:
        if self._first:
            self.skip()
        return next(self._rest)

    def skip(self) -> None:
        """Leave out now what is to be left out, rather than when the next is asked for."""
        first, self._first = self._first, 0
        self._draws.skip(self._rest, first, self._length)


def _cut(samples: Iterator[Any], batch_size: int, drop_last: bool) -> Iterator[list[Any]]:
    while batch := list(itertools.islice(samples, batch_size)):
        if drop_last and len(batch) < batch_size:
            return
        yield batch


def _visits_once(sampler: Sampler[Any] | Any) -> bool:
    """Whether a sampler is known to visit no item twice in an epoch, padding aside."""
    if type(sampler) is RandomSampler:
        return not sampler.replacement and sampler._num_samples is None
    order = getattr(type(sampler), "__iter__", None)
    return any(
        order is known.__iter__
        for known in (DefaultSampler, SequentialSampler, DistributedSampler, SubsetRandomSampler)
    )
