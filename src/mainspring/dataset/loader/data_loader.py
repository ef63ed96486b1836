"""torch's `DataLoader`, able to begin anywhere and to give every item its own random numbers."""

from __future__ import annotations

import functools
import itertools
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from multiprocessing.context import BaseContext
from typing import Any, Protocol, TypeAlias, TypeVar

import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Dataset, IterableDataset, Sampler, SequentialSampler

from mainspring.config.words import Factory
from mainspring.dataset.any_loader import empty_loader_error, refuse_without_length
from mainspring.dataset.loader.delivery import Delivery, Position
from mainspring.dataset.order.index_plan import IndexPlan
from mainspring.dataset.order.noted_draws import NotedDraws
from mainspring.dataset.order.order_start import LoaderState, OrderStart, is_continued_stream
from mainspring.dataset.order.sampler_factories import call_factory, is_factory
from mainspring.dataset.order.samplers import DefaultSampler
from mainspring.dataset.workers.dataset_changes import DatasetState
from mainspring.dataset.workers.sample_view import SampleView, WorkerStart, as_it_is
from mainspring.dataset.workers.threads import ThreadedBatches, check_threads
from mainspring.dataset.workers.worker_life import begin_showing
from mainspring.dataset.workers.worker_streams import WorkerStreams
from mainspring.dist import broadcast_object_list, get_dist_info, get_rank, get_world_size
from mainspring.errors import ConfigError
from mainspring.logging import print_log
from mainspring.rng.generator_use import GeneratorUse
from mainspring.rng.item_seeds import mix
from mainspring.rng.own_generators import warn_of_copies
from mainspring.rng.seeding import SampleRng
from mainspring.rng.seeding import worker_init_fn as seed_worker

__all__ = ["DataLoader", "SampleRng"]

T_co = TypeVar("T_co", covariant=True)


class Items(Protocol[T_co]):
    """What a map-style data set is: it has a length, and an item for each index."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> T_co: ...


AnyDataset: TypeAlias = Dataset[T_co] | Items[T_co]
AnySampler: TypeAlias = Sampler[int] | Iterable[int] | Factory[Iterable[int]]
AnyBatchSampler: TypeAlias = (
    Sampler[list[int]] | Iterable[Sequence[int]] | Factory[Iterable[Sequence[int]]]
)


class DataLoader(TorchDataLoader[T_co]):
    """torch's `DataLoader` with a position, and with random numbers that belong to the items.

    It is one in every respect. What differs:

    - The order is a function of seed and epoch: without a sampler, `DefaultSampler` is used, which
      also deals the data out over the ranks. With ``shuffle=True``, each new iteration is a new
      epoch unless `set_epoch` says which.
    - `state_dict` and `load_state_dict` continue after any batch, without loading those before.
    - With ``sample_rng="sample"``, transforms draw the same numbers whatever the number of workers
      and ranks, and iterating leaves the generators of the main process alone. Only with
      ``shuffle=True`` do they change from epoch to epoch without `set_epoch`.
    - An error in an item keeps its type, out of workers too, and names index, data set and worker.

    Iterable data sets are not seeded for each item; with a seed, their workers are seeded as
    `worker_init_fn` does it.

    Args:
        dataset: The data set.
        batch_size: Items of a batch; ``None`` for single items.
        shuffle: Whether to shuffle; only without `sampler` and `batch_sampler`.
        sampler: Gives the indices, or a factory called with the data set and, if it takes one, the
            seed.
        batch_sampler: Gives lists of indices, or a factory called with ``sampler``, ``batch_size``
            and, if it takes it, ``drop_last``.
        num_workers: Processes that load; 0 loads in the main process.
        collate_fn: Puts items together; torch's own by default.
        pin_memory: Whether to put batches into pinned memory, from where they are copied to a GPU
            while it computes; by default where there is a CUDA device.
        drop_last: Whether to leave out an incomplete last batch.
        timeout: Seconds to wait for a batch from a worker; 0 for ever.
        worker_init_fn: Called in each worker with its number; by default workers are seeded from
            `seed`, if it is given.
        multiprocessing_context: How workers are started.
        generator: Its seed takes the place of `seed`; with ``sample_rng="worker"`` torch draws the
            workers' base seed from it.
        prefetch_factor: Batches that each worker loads ahead; 2 by default.
        persistent_workers: Whether workers stay between epochs. By default those of map-style data
            sets do with ``sample_rng="sample"``, and new ones are started when the data set was
            changed in the meantime.
        pin_memory_device: Device to pin for.
        in_order: Whether batches come in the order of the sampler; a position is exact only then.
        threads: Threads that load batches ahead in this process, instead of worker processes, each
            `prefetch_factor` of them. The items must not draw from the global generators.
        seed: Seed of order and random numbers. By default that of the run, or else the seed of
            torch's global generator on rank 0, when the first iteration begins.
        sample_rng: ``"sample"``; or ``"worker"`` for torch's own behaviour, one stream a worker,
            drawn as MMEngine draws it.

    Raises:
        ConfigError: `sample_rng` is neither, or a map-style data set has no length.
        ValueError: As from torch's `DataLoader`, such as for `sampler` with `shuffle`.

    Example:
        >>> loader = DataLoader(range(5), batch_size=2)
        >>> [batch.tolist() for batch in loader]
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self,
        dataset: AnyDataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: AnySampler | None = None,
        batch_sampler: AnyBatchSampler | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[T_co]], Any] | None = None,
        pin_memory: bool | None = None,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: str | BaseContext | None = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool | None = None,
        pin_memory_device: str = "",
        in_order: bool = True,
        threads: int = 0,
        seed: int | None = None,
        sample_rng: SampleRng = "sample",
    ) -> None:
        if sample_rng not in ("sample", "worker"):
            raise ConfigError(f"sample_rng is {sample_rng!r}", help="it is 'sample' or 'worker'")
        if timeout and not num_workers:
            raise ConfigError(
                f"timeout is {timeout}, but no worker is waited for: num_workers is 0"
            )
        for name, given in (("sampler", sampler), ("batch_sampler", batch_sampler)):
            gives = callable(given) or (hasattr(given, "__iter__") and not isinstance(given, str))
            if given is not None and not gives:
                raise ConfigError(f"{name} is {given!r}", help="give something that gives indices")
        self.sample_rng = sample_rng
        self._seed = generator.initial_seed() if seed is None and generator is not None else seed
        self._seeds_workers = self._seed is not None
        self._seeded_sampler: Any = None
        self._advances = bool(shuffle)
        self._position = Position()
        self._resume_at: Position | None = None
        self._order_start: OrderStart | None = None
        self._draws = NotedDraws()
        self._resumed_order: OrderStart | None = None
        self._resumed_plan: Mapping[str, Any] = {}
        is_map = not isinstance(dataset, IterableDataset)
        check_threads(threads, num_workers, is_map and sample_rng == "sample")
        self.threads, self._ahead = threads, prefetch_factor or 2
        ready: Any = sampler
        ready_batches: Any = batch_sampler
        if is_map:
            ready, shuffle = self._ready_sampler(dataset, sampler, batch_sampler, shuffle)
        if is_factory(batch_sampler):
            arguments = {"sampler": ready, "batch_size": batch_size}
            ready_batches = call_factory(batch_sampler, arguments, {"drop_last": drop_last})
            batch_size, ready, drop_last = 1, None, False
        items: Any = dataset
        self._renews_workers = persistent_workers is None
        if persistent_workers is None:
            persistent_workers = num_workers > 0 and is_map and sample_rng == "sample"
        if pin_memory is None:
            pin_memory = torch.cuda.is_available()
        super().__init__(
            items,
            batch_size=batch_size,
            shuffle=shuffle,
            sampler=ready,
            batch_sampler=ready_batches,
            num_workers=num_workers,
            collate_fn=collate_fn,
            pin_memory=pin_memory,
            drop_last=drop_last,
            timeout=timeout,
            worker_init_fn=worker_init_fn,
            multiprocessing_context=multiprocessing_context,
            generator=generator,
            prefetch_factor=None if threads else prefetch_factor,
            persistent_workers=persistent_workers,
            pin_memory_device=pin_memory_device,
            in_order=in_order,
        )
        self._inner = LoaderState(weakref.proxy(self))
        self._generator_use = GeneratorUse()
        self._seen_by_workers: DatasetState | None = None
        self._delivery: weakref.ref[Delivery] | None = None
        self._plan: IndexPlan | None = None
        self._streams: WorkerStreams | None = None
        if is_map:
            source: Any = self.sampler if self.batch_sampler is None else self.batch_sampler
            inner = getattr(source, "sampler", None) if source is self.batch_sampler else source
            self._plan = IndexPlan(source, inner, tagged=sample_rng == "sample")
            self._streams = WorkerStreams.of(self) if sample_rng == "worker" else None
            # An order that nobody else tells the epoch is told by the loader.
            self._advances |= not (hasattr(inner, "set_epoch") or type(inner) is SequentialSampler)

    def _ready_sampler(
        self, dataset: Any, sampler: Any, batch_sampler: Any, shuffle: bool | None
    ) -> tuple[Any, bool | None]:
        """The sampler that the arguments ask for, and what is left for torch to check."""
        if is_factory(sampler):
            sampler = call_factory(sampler, {}, {"seed": self._seed or 0}, dataset)
            if hasattr(sampler, "seed"):
                self._seeded_sampler = sampler
            return sampler, shuffle
        if sampler is not None or (batch_sampler is not None and not is_factory(batch_sampler)):
            return sampler, shuffle
        refuse_without_length(dataset)
        self._seeded_sampler = DefaultSampler(dataset, bool(shuffle), seed=self._seed or 0)
        return self._seeded_sampler, None

    @property
    def seed(self) -> int:
        """Seed of order and random numbers; asking for it settles it (all ranks)."""
        return self._settle_seed()

    def _settle_seed(self) -> int:
        if self._seed is not None:
            return self._seed
        shared = [_seed_of_its_own(torch.initial_seed() % 2**31)]
        if get_world_size() > 1:
            broadcast_object_list(shared)
        self._use_seed(shared[0])
        return shared[0]

    def use_run_seed(self, seed: int | None) -> None:
        """Take the seed of a run, unless the loader was given one or has begun.

        Args:
            seed: Seed of the run, the same on every rank; ``None`` changes nothing.
        """
        if self._seed is None and seed is not None:
            self._use_seed(seed)
            self._seeds_workers = True

    def _use_seed(self, seed: int) -> None:
        self._seed = seed
        _seeded.add(self)
        if self._seeded_sampler is not None:
            self._seeded_sampler.seed = seed

    def use_sampler(self, sampler: Any) -> None:
        """Take another sampler in place of the one that batches are cut from.

        Args:
            sampler: Has the seed of the run.
        """
        assert self._plan is not None
        self._plan.take_from(sampler)
        # Torch forbids to assign it: whoever does would expect other batches of an iterator.
        self.__dict__["sampler"] = self._seeded_sampler = sampler

    @property
    def epoch(self) -> int:
        """Number of the current epoch, counted from 0."""
        return self._position.epoch if self._plan is None else self._plan.current_epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is, and tell the sampler.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        if self._plan is not None:
            self._plan.set_epoch(epoch)
        if not self._is_endless:
            self._position = Position(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The position behind the batches that were given out; those loaded ahead do not count.

        Returns:
            ``epoch``, ``batches`` and ``samples`` (of this rank) given out in it, ``seed``,
            ``world_size``; and, if they have one, ``sampler_seed`` and the state of an iterable
            data set as ``dataset``.
        """
        position = self._resume_at or self._position
        if position.epoch != self.epoch:
            position = Position(self.epoch)  # somebody told the sampler of a new epoch
        size = self._batch_cut
        state: dict[str, Any] = {
            "epoch": self.epoch,
            "batches": position.batches,
            "samples": position.samples_after(size),
            "used": self._resume_at is None and position.was_used,
            "seed": self.seed,
            "world_size": get_world_size(),
        }
        if self._plan is not None and isinstance(getattr(self._plan.sampler, "seed", None), int):
            state["sampler_seed"] = self._plan.sampler.seed
        if self._order_start is not None:
            start, now = self._order_start.state_dicts(OrderStart.of(self._inner))
            noted = self._draws if self._plan is None else self._plan
            state |= {"order": start, "order_now": now, **noted.state_dict()}
        if self._streams is not None:
            state["workers"] = self._streams.state_dict()
        if is_continued_stream(self):
            state["dataset"] = self.dataset.state_dict()  # type: ignore[attr-defined]  # - just asked
        return state

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration of that epoch begin where `state_dict` was taken.

        The position is kept in samples, so batch size and number of ranks may have changed, if
        batches are consecutive samples of the sampler; a few samples are visited again where the
        numbers do not divide.

        Args:
            state: What `state_dict` gave.
        """
        self._use_seed(state["seed"])
        if self._plan is not None and "sampler_seed" in state:
            self._plan.sampler.seed = state["sampler_seed"]
        self.set_epoch(state["epoch"])
        size = self._batch_cut
        batches, samples = state["batches"], 0
        if size is not None:
            samples = state.get("samples", batches * size)
            samples = samples * state.get("world_size", get_world_size()) // get_world_size()
            batches = -(-samples // size)
        elif self._plan is not None and self._plan.deals_batches:
            batches = batches * state.get("world_size", get_world_size()) // get_world_size()
        self._resume_at = Position(state["epoch"], batches, samples, batches)
        self._resumed_order = (
            OrderStart.from_state_dict(state["order"]) if "order" in state else None
        )
        self._resumed_plan = state
        if "order_now" in state:
            OrderStart.from_state_dict(state["order_now"]).restore_own(self._inner)
        if self._streams is not None and "workers" in state:
            self._streams.load_state_dict(state["workers"])
        if is_continued_stream(self) and "dataset" in state:
            self.dataset.load_state_dict(state["dataset"])  # type: ignore[attr-defined]  # - as above

    def end_pass(self) -> None:
        """Leave out what the pass under way still has: the next iteration is a new pass."""
        if not self._is_endless:
            self._resume_at, self._position = None, Position(self.epoch, is_finished=True)

    @property
    def _is_endless(self) -> bool:
        return self._plan is not None and self._plan.is_endless

    @property
    def _batch_cut(self) -> int | None:
        """Batch size, where batches are consecutive samples of a plain sampler."""
        return None if self._plan is None else self._plan.cuts_batches

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # - torch promises its own class
        if self._renews_workers and self.persistent_workers:
            self._renew_workers()
        position = self._begin()
        to_replay = self._place(position)
        self._position = position
        with self._order_of(position):
            batches: Iterator[Any] = super().__iter__()
            if to_replay:
                print_log(f"Advance dataloader {to_replay} steps to where it was", logger="current")
                self._draws.skip(batches, to_replay)
        if self._plan is None and not self.num_workers:
            batches = self._draws.noting(batches, self, position.batches)
        plan = self._plan
        drawn = plan if plan is not None and plan.draws_globally else None
        delivery = Delivery(batches, position, drawn, self._streams)
        self._delivery = weakref.ref(delivery)
        return delivery

    def _renew_workers(self) -> None:
        """Take new workers if those there have an older data set, or are busy with another pass."""
        seen = self._seen_by_workers
        running = None if self._delivery is None else self._delivery()
        is_busy = running is not None and not running.is_finished
        if is_busy or (seen is not None and not seen.is_still(self.dataset)):
            self._iterator = None
        self._seen_by_workers = DatasetState(self.dataset)

    @contextmanager
    def _order_of(self, position: Position) -> Iterator[None]:
        """Let what draws from the global generators draw as it did before."""
        resumed, self._resumed_order = self._resumed_order, None
        plan = self._plan
        if plan is not None and self.sample_rng == "sample" and not plan.draws_globally:
            yield
        elif resumed is not None and position.batches:
            self._order_start = resumed
            (self._draws if plan is None else plan).load_state_dict(self._resumed_plan)
            with resumed.again(self._inner):
                yield
                if plan is not None:
                    plan.skip()
        else:
            self._order_start = OrderStart.of(self._inner)
            yield

    def _begin(self) -> Position:
        """Where the iteration that starts now begins."""
        resume_at, self._resume_at = self._resume_at, None
        if resume_at is not None and (self._is_endless or resume_at.epoch == self.epoch):
            return resume_at
        last = self._position
        if self._is_endless:
            samples = last.samples_after(self._batch_cut)
            return Position(self.epoch, last.batches, samples, last.batches)
        if last.was_used and last.epoch == self.epoch and self._advances:
            self.set_epoch(last.epoch + 1)
        return Position(self.epoch)

    def _place(self, position: Position) -> int:
        """Let the plan start there; returns how many batches must be loaded and thrown away."""
        plan = self._plan
        if plan is None:
            return 0 if is_continued_stream(self) else position.batches
        if not position.batches:
            self._check_not_empty()
        self._settle_seed()
        plan.first_batch, plan.first_sample = position.batches, position.samples
        if self._streams is not None:
            plan.turns = self._streams.begin(self, position.batches > 0)
        return 0

    def _check_not_empty(self) -> None:
        try:
            batches = len(self)
        except (TypeError, NotImplementedError):
            return
        if not batches:
            raise empty_loader_error(self)

    @property
    def _index_sampler(self) -> Any:
        """What torch's iterators take indices from; they ask for it when they are made."""
        plan = self.__dict__.get("_plan_in_use")
        return super()._index_sampler if plan is None else plan

    def _get_iterator(self) -> Any:
        """Make torch's iterator, which meanwhile sees other attributes than everybody else."""
        begin: Any = super()._get_iterator
        if self.threads:
            begin = functools.partial(ThreadedBatches, self, self.threads, self._ahead)
        seen = self._seen_by_iterator()
        if "generator" not in seen or torch.get_default_device().type == "cpu":
            return begin_showing(self, seen, begin)
        with torch.device("cpu"):  # where that generator is
            return begin_showing(self, seen, begin)

    def _seen_by_iterator(self) -> dict[str, Any]:
        init_fn = self.worker_init_fn
        if init_fn is None and self._seeds_workers:
            init_fn = functools.partial(
                seed_worker, num_workers=self.num_workers, rank=get_rank(), seed=self.seed
            )
        if self.num_workers and (self._plan is None or self.sample_rng == "worker"):
            warn_of_copies(self.dataset)
        if self._plan is None:
            return {"worker_init_fn": WorkerStart(init_fn)}
        if self.sample_rng == "worker":
            seen = {"worker_init_fn": WorkerStart(init_fn), "_plan_in_use": self._plan}
            return seen if self._streams is None else {**seen, **self._streams.shown()}
        seed = self.seed
        rank, _ = get_dist_info()
        # Torch draws a base seed for the workers, which must not shift the global generator.
        private = torch.Generator().manual_seed(mix(mix(seed, self.epoch), rank))
        return {
            "dataset": SampleView(self.dataset, self.collate_fn, seed, self._generator_use),
            "collate_fn": as_it_is,
            "worker_init_fn": WorkerStart(init_fn),
            "generator": private,
            "_plan_in_use": self._plan,
        }


_seeded: weakref.WeakSet[DataLoader[Any]] = weakref.WeakSet()


def _seed_of_its_own(seed: int) -> int:
    """The seed for a loader that was given none: one that no other loader of the process has.

    Two shuffled loaders side by side would visit the same places in the same order.
    """
    taken = {loader._seed for loader in _seeded}
    own = seed
    for number in itertools.count(1):
        if own not in taken:
            break
        own = mix(seed, number) % 2**31
    return own
