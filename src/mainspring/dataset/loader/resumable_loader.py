"""Whatever a run iterates over for training, able to begin in the middle of a pass.

| what is iterated                     | how it begins in the middle                              |
|--------------------------------------|----------------------------------------------------------|
| has `state_dict`, `load_state_dict`  | by itself, as `mainspring.dataset.DataLoader` does       |
| torch's `DataLoader` over indices    | indices are left out, nothing is loaded                  |
| the same over a data set with state  | the data set continues from its own state                |
| a list or tuple of batches           | batches are left out                                     |
| anything else                        | batches are loaded and thrown away, which is said        |
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.dataset.any_loader import length_of, workers_stand_ready
from mainspring.dataset.loader.data_loader import DataLoader
from mainspring.dataset.loader.dealing import comparing_ranks
from mainspring.dataset.loader.delivery import Delivery, Position
from mainspring.dataset.loader.device_prefetch import Copies
from mainspring.dataset.order.index_plan import IndexPlan
from mainspring.dataset.order.noted_draws import NotedDraws
from mainspring.dataset.order.order_start import LoaderState, OrderStart, is_continued_stream
from mainspring.dataset.workers.item_names import NamedItems
from mainspring.dataset.workers.sample_view import SampleView, WorkerStart, as_it_is
from mainspring.dataset.workers.tensor_rows import TensorRows, draws_in_workers, draws_nothing
from mainspring.dataset.workers.worker_life import begin_showing
from mainspring.dataset.workers.worker_streams import WorkerStreams
from mainspring.logging import print_log, warn
from mainspring.rng.generator_use import GeneratorUse
from mainspring.rng.own_generators import warn_of_copies

__all__ = ["ResumableLoader", "naming_batches"]


class ResumableLoader:
    """Iterates a loader, pass after pass, and continues in the middle of one.

    A plain torch `DataLoader` stays as it is: its order and everything that is drawn in the main
    process are those of torch. Only what items draw in workers is seeded for each item, as
    `mainspring.dataset.DataLoader` does it: a worker's stream would depend on all that the worker
    has loaded before.

    Attributes:
        compares_ranks: Whether the first batch of the next pass is compared with those of the other
            ranks, by all of them, if it comes from something without indices.

    Args:
        loader: What is iterated.
        seed: Seed of the items that workers load; ``None`` leaves them torch's streams.
        copies: How batches get to a device. Each is then copied while the one before is in use, if
            the loader pins memory, and if loading one sooner cannot change a random number.
    """

    def __init__(self, loader: Any, seed: int | None = None, copies: Copies | None = None) -> None:
        self.loader = loader
        self._copies = copies
        self._seed = seed
        self._keeps_position = hasattr(loader, "load_state_dict")
        self._plan = None if self._keeps_position else self._plan_of(loader)
        self._streams = None
        if self._plan is not None and not self._plan.tagged:
            self._streams = WorkerStreams.of(loader)
        self._use = GeneratorUse()
        self._inner = LoaderState(loader)
        self._start: OrderStart | None = None
        self._draws = NotedDraws()
        self._noted = self._draws if self._plan is None else self._plan
        self._reuses_workers = False
        self.compares_ranks = True
        self._resumed: Mapping[str, Any] | None = None

    def _plan_of(self, loader: Any) -> IndexPlan | None:
        """What replaces the indices of a torch loader, if they can be replaced."""
        if (
            not isinstance(loader, TorchDataLoader)
            or isinstance(loader.dataset, IterableDataset)
            or type(loader).__iter__ is not TorchDataLoader.__iter__
        ):
            return None
        in_batches = loader.batch_sampler is not None
        source: Any = loader.batch_sampler if in_batches else loader.sampler
        sampler = getattr(source, "sampler", None) if in_batches else source
        tagged = self._seed is not None and draws_in_workers(loader)
        return IndexPlan(source, sampler, tagged=tagged)

    def batches(self, epoch: int = 0, first_batch: int = 0) -> Iterator[Any]:
        """Begin a pass.

        Args:
            epoch: Number of the pass, from 0; items in workers draw other numbers in each.
            first_batch: Batches to leave out.
        """
        batches = self._batches_from(epoch, first_batch)
        if (
            self._copies is not None
            and isinstance(batches, Delivery)
            and self._may_load_ahead(batches)
        ):
            batches.copy_ahead(self._copies)
        if not self.compares_ranks:
            return batches
        self.compares_ranks = False
        return iter(comparing_ranks(batches, self.loader, "train_dataloader"))

    def _may_load_ahead(self, batches: Delivery) -> bool:
        """Whether a batch may be loaded while the one before it is in use."""
        loader: Any = self.loader
        if not loader.pin_memory:
            return False
        if loader.num_workers:
            return True
        if isinstance(loader.dataset, IterableDataset) or batches.draws_order:
            return False
        seeds_items = getattr(loader, "sample_rng", None) == "sample"
        return seeds_items or draws_nothing(loader.dataset, loader.collate_fn)

    def _batches_from(self, epoch: int, first_batch: int) -> Iterator[Any]:
        resumed, self._resumed = self._resumed, None
        length = length_of(self.loader)
        if (
            first_batch
            and length is not None
            and first_batch >= length
            and is_continued_stream(self.loader)
        ):
            # The data set stands at its beginning again, but nobody has seen the end yet.
            return iter(())
        if self._keeps_position:
            return iter(self.loader)
        if isinstance(self.loader, Sequence) and _gives_its_items(self.loader):
            return itertools.islice(self.loader, first_batch, None)
        self._reuses_workers = workers_stand_ready(self.loader)
        if resumed is None:
            self._start = OrderStart.of(self._inner)
            return self._begin(epoch, first_batch)
        OrderStart.from_state_dict(resumed["now"]).restore_own(self._inner)
        if first_batch or resumed.get("is_drawn"):
            self._start = OrderStart.from_state_dict(resumed["start"])
            self._reuses_workers = resumed["reuses_workers"]
            self._noted.load_state_dict(resumed)
            with self._start.again(self._inner):
                return self._begin(epoch, first_batch)
        self._start = OrderStart.of(self._inner)
        self._reuses_workers = resumed["has_workers"]
        return self._begin(epoch, first_batch)

    def _begin(self, epoch: int, first_batch: int) -> Iterator[Any]:
        if getattr(self.loader, "num_workers", 0) and (self._plan is None or not self._plan.tagged):
            warn_of_copies(self.loader.dataset)
        if self._plan is not None:
            return self._begin_at_index(self._plan, epoch, first_batch)
        batches = naming_batches(self.loader)
        if not first_batch:
            return self._draws.noting(batches, self.loader)
        if not is_continued_stream(self.loader):
            print_log(
                f"Advance dataloader {first_batch} steps to skip data that has already been "
                "trained",
                logger="current",
            )
            self._draws.skip(batches, first_batch)
        return self._draws.noting(batches, self.loader, first_batch)

    def _begin_at_index(self, plan: IndexPlan, epoch: int, first_batch: int) -> Iterator[Any]:
        """Let torch make its iterator while the loader shows it other indices."""
        plan.epoch = epoch
        plan.first_batch = first_batch
        plan.first_sample = first_batch * (plan.cuts_batches or 0)
        loader = self.loader
        seen: dict[str, Any] = {
            "sampler" if loader.batch_sampler is None else "batch_sampler": plan
        }
        if self._streams is not None:
            plan.turns = self._streams.begin(loader, first_batch > 0)
            self._reuses_workers = self._reuses_workers and not self._streams.restarts
            start = WorkerStart(loader.worker_init_fn)
            seen |= {"worker_init_fn": start, **self._streams.shown()}
        elif plan.tagged:
            seen |= {
                "dataset": SampleView(
                    loader.dataset, loader.collate_fn, self._seed or 0, self._use
                ),
                "collate_fn": as_it_is,
                "worker_init_fn": WorkerStart(loader.worker_init_fn),
            }
        else:
            seen |= _quick_or_named(loader)
        if self._reuses_workers and not workers_stand_ready(self.loader):
            # Workers that go on draw no base seed, so starting them anew must not draw one either.
            seen["generator"] = torch.Generator()
        if workers_stand_ready(self.loader) and not self._reuses_workers:
            loader._iterator = None
        batches = begin_showing(loader, seen, lambda: iter(loader))
        plan.skip()
        drawn = plan if plan.draws_globally else None
        return Delivery(batches, Position(), drawn, self._streams)

    def state_dict(self) -> dict[str, Any]:
        """What a pass needs to be continued, besides the number of its batches."""
        if self._keeps_position:
            has_state = hasattr(self.loader, "state_dict")
            state: dict[str, Any] = self.loader.state_dict() if has_state else {}
            return state
        if self._start is None:
            return {}
        start, now = self._start.state_dicts(OrderStart.of(self._inner))
        state = {
            "start": start,
            "now": now,
            "reuses_workers": self._reuses_workers,
            "has_workers": workers_stand_ready(self.loader),
            **self._noted.state_dict(),
        }
        if self._streams is not None:
            state["workers"] = self._streams.state_dict()
        if is_continued_stream(self.loader):
            state["dataset"] = self.loader.dataset.state_dict()
        return state

    def load_state_dict(self, state: Mapping[str, Any], epoch: int = 0, batches: int = 0) -> None:
        """Let the next pass be the one that `state_dict` was taken in.

        Args:
            state: What `state_dict` gave, perhaps for another kind of loader, which is said. To
                what has a ``start``, ``is_drawn`` may be added: the pass had begun already, even if
                it gave out no batch.
            epoch: Number of that pass.
            batches: Batches of it that were given out.
        """
        if self._keeps_position:
            if isinstance(self.loader, DataLoader) and "batches" not in state:
                _say_other_kind()
                state = {"epoch": epoch, "batches": batches, "seed": self.loader.seed}
            self.loader.load_state_dict(state)
            return
        if "start" in state:
            self._resumed = state
            if self._streams is not None and "workers" in state:
                self._streams.load_state_dict(state["workers"])
        elif state:
            _say_other_kind()
        if "dataset" in state and is_continued_stream(self.loader):
            self.loader.dataset.load_state_dict(state["dataset"])


def _gives_its_items(loader: Sequence[Any]) -> bool:
    """Whether iterating a sequence gives its items in order, so that some can be left out."""
    return type(loader).__iter__ in (list.__iter__, tuple.__iter__, Sequence.__iter__)


def _say_other_kind() -> None:
    warn(
        "the checkpoint was made with another kind of loader: this one goes on behind as many "
        "batches, in an order of its own"
    )


def naming_batches(loader: Any) -> Iterator[Any]:
    """Begin a pass through a loader; errors name the items, those of torch's own loaders too.

    Args:
        loader: Any loader.
    """
    if not isinstance(loader, TorchDataLoader) or isinstance(loader, DataLoader):
        return iter(loader)
    batches: Iterator[Any] = begin_showing(loader, _quick_or_named(loader), lambda: iter(loader))
    return batches


def _quick_or_named(loader: TorchDataLoader[Any]) -> dict[str, Any]:
    """What a torch loader is shown: rows of tensors taken at once, or items that errors name."""
    shown: dict[str, Any] = {"worker_init_fn": WorkerStart(loader.worker_init_fn)}
    if (
        isinstance(loader.dataset, IterableDataset)
        or type(loader).__iter__ is not TorchDataLoader.__iter__
    ):
        return shown
    if loader.batch_sampler is not None:
        rows = TensorRows.of(loader.dataset, loader.collate_fn)
        if rows is not None:
            return {**shown, "dataset": rows, "collate_fn": as_it_is}
        named = NamedItems(loader.dataset, loader.collate_fn)
        return {**shown, "dataset": named, "collate_fn": named.collate}
    return {**shown, "dataset": NamedItems(loader.dataset, loader.collate_fn)}
