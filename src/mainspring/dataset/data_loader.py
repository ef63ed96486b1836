"""torch's `DataLoader`, able to begin anywhere and to give every item its own random numbers."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch.utils.data import BatchSampler, Dataset, IterableDataset, Sampler
from torch.utils.data import DataLoader as TorchDataLoader

from mainspring.dataset.sample_rng import SeededCollate, SeededItems
from mainspring.dataset.samplers import DefaultSampler
from mainspring.dist import sync_random_seed

__all__ = ["DataLoader"]

SamplerFactory = Callable[..., Iterable[Any]]


class DataLoader(TorchDataLoader[Any]):
    """A torch `DataLoader` with a position and with random numbers that belong to the items.

    It is one in every respect; what is added: ``shuffle=True`` uses a sampler that depends on seed
    and epoch alone; `state_dict` and `load_state_dict` let it go on after any batch without loading
    the ones before; and with ``sample_rng="sample"`` transforms draw the same numbers whatever the
    number of workers and ranks (see `mainspring.dataset.sample_rng`). Iterating then leaves the
    generators of the main process alone.

    Iterable data sets are not seeded for each item; their workers are seeded as torch does it.

    Args:
        dataset: The data set.
        batch_size: Items of a batch; ``None`` for single items.
        shuffle: Whether to shuffle; only without `sampler` and `batch_sampler`.
        sampler: Gives the indices, or a factory that makes a sampler from the data set.
        batch_sampler: Gives lists of indices, or a factory called with ``sampler`` and
            ``batch_size``.
        num_workers: Processes that load; 0 loads in the main process.
        collate_fn: Puts items together; torch's default by default.
        pin_memory: Whether to put batches into pinned memory.
        drop_last: Whether to leave out an incomplete last batch.
        timeout: Seconds to wait for a batch from a worker; 0 for ever.
        worker_init_fn: Called in each worker with its number.
        multiprocessing_context: How workers are started.
        generator: Generator for the workers' base seed; a private one by default.
        prefetch_factor: Batches that each worker loads ahead.
        persistent_workers: Whether workers stay between epochs.
        pin_memory_device: Device to pin for.
        in_order: Whether batches come in the order of the sampler.
        seed: Seed of the items' random numbers and of shuffling; ``None`` draws one that all ranks
            share.
        sample_rng: ``"sample"``, or ``"worker"`` for torch's own behaviour: one stream a worker.
    """

    def __init__(
        self,
        dataset: Dataset[Any] | Any,
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | SamplerFactory | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | SamplerFactory | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: torch.Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
        seed: int | None = None,
        sample_rng: Literal["sample", "worker"] = "sample",
    ) -> None:
        self.seed = sync_random_seed() if seed is None else seed
        self.sample_rng = sample_rng
        self.epoch = 0
        self._first_batch = 0
        self._delivered = 0
        iterable = isinstance(dataset, IterableDataset)
        self._seeded = sample_rng == "sample" and not iterable
        if shuffle and sampler is None and batch_sampler is None and not iterable:
            sampler, shuffle = DefaultSampler(dataset, shuffle=True, seed=self.seed), None
        if callable(sampler) and not isinstance(sampler, Iterable):
            sampler = sampler(dataset)
        if callable(batch_sampler) and not isinstance(batch_sampler, Iterable):
            base = sampler if sampler is not None else DefaultSampler(dataset, False, self.seed)
            batch_sampler, sampler = batch_sampler(sampler=base, batch_size=batch_size), None
        if batch_sampler is not None:
            batch_size = 1
        if sample_rng == "sample" and generator is None:
            generator = torch.Generator()
            generator.manual_seed(self.seed)
        options: dict[str, Any] = {} if in_order else {"in_order": False}
        if pin_memory_device:
            options["pin_memory_device"] = pin_memory_device
        super().__init__(
            dataset,
            batch_size=batch_size,
            shuffle=shuffle,
            sampler=sampler,
            batch_sampler=batch_sampler,
            num_workers=num_workers,
            collate_fn=collate_fn,
            pin_memory=pin_memory,
            drop_last=drop_last,
            timeout=timeout,
            worker_init_fn=worker_init_fn,
            multiprocessing_context=multiprocessing_context,
            generator=generator,
            prefetch_factor=prefetch_factor,
            persistent_workers=persistent_workers,
            **options,
        )

    @property
    def _index_sampler(self) -> Any:
        """What torch's iterators take the indices from, epoch after epoch."""
        if isinstance(self.dataset, IterableDataset):
            return super()._index_sampler
        return _PositionedIndices(self)

    def _get_iterator(self) -> Any:
        """Make torch's iterator; while it is made, it sees the data set through a seeding view."""
        if not self._seeded:
            return super()._get_iterator()
        attributes = self.__dict__
        dataset, collate_fn = attributes["dataset"], attributes["collate_fn"]
        attributes["dataset"] = SeededItems(dataset, self.seed)
        attributes["collate_fn"] = SeededCollate(collate_fn)
        try:
            return super()._get_iterator()
        finally:
            attributes["dataset"], attributes["collate_fn"] = dataset, collate_fn

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # - torch promises its own iterator class
        batches: Iterator[Any] = super().__iter__()
        first, self._first_batch = self._first_batch, 0
        self._delivered = first
        if first and isinstance(self.dataset, IterableDataset):
            batches = itertools.islice(batches, first, None)
        return self._counting(batches)

    def _counting(self, batches: Iterator[Any]) -> Iterator[Any]:
        for batch in batches:
            self._delivered += 1
            yield batch

    def set_epoch(self, epoch: int) -> None:
        """Choose order and random numbers of an epoch.

        Args:
            epoch: Number of the epoch, counted from 0.
        """
        self.epoch = epoch
        for sampler in (self.sampler, getattr(self.batch_sampler, "sampler", None)):
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """The position: epoch, and batches of it that were given out (not those loaded ahead)."""
        return {"epoch": self.epoch, "batches": self._delivered, "seed": self.seed}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next iteration begin where `state_dict` was taken."""
        self.seed = state["seed"]
        self.set_epoch(state["epoch"])
        self._first_batch = state["batches"]


class _PositionedIndices:
    """A loader's indices from its first batch on, tagged with their epoch where items are seeded."""

    def __init__(self, loader: DataLoader) -> None:
        self._loader = loader

    @property
    def _base(self) -> Any:
        loader = self._loader
        return loader.batch_sampler if loader._auto_collation else loader.sampler

    def __len__(self) -> int:
        return len(self._base)

    def __iter__(self) -> Iterator[Any]:
        loader = self._loader
        batches, skipped = self._from(loader._first_batch)
        if not loader._seeded:
            return batches
        return self._tagged(batches, skipped)

    def _from(self, first_batch: int) -> tuple[Iterator[Any], int]:
        """Batches of indices from one on, and how many indices were left out."""
        base = self._base
        if not first_batch:
            return iter(base), 0
        sampler = self._loader.sampler
        size = 1
        if type(base) is BatchSampler:
            sampler, size = base.sampler, base.batch_size
        if hasattr(sampler, "start_at") and (type(base) is BatchSampler or base is sampler):
            sampler.start_at(first_batch * size)
            return iter(base), first_batch * size
        return itertools.islice(iter(base), first_batch, None), first_batch * size

    def _tagged(self, batches: Iterator[Any], position: int) -> Iterator[Any]:
        loader = self._loader
        epoch_of = getattr(loader.sampler, "epoch_of", None) or getattr(
            getattr(loader.batch_sampler, "sampler", None), "epoch_of", None
        )
        epoch = loader.epoch
        for batch in batches:
            indices = batch if loader._auto_collation else [batch]
            if epoch_of is None:
                tagged = [(epoch, index) for index in indices]
            else:
                tagged = [
                    (epoch_of(position + offset), index) for offset, index in enumerate(indices)
                ]
                position += len(tagged)
            yield tagged if loader._auto_collation else tagged[0]
