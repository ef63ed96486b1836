"""What data sets of loaders remember, here and in workers, and what of it is lost."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.columns import titled
from mainspring.dataset import CombinedLoader, DataLoader
from mainspring.dataset.any_loader import loaders_inside
from mainspring.dataset.collate import owner_of
from mainspring.dataset.workers.tensor_rows import draws_in_workers
from mainspring.dataset.workers.worker_reports import state_of_data
from mainspring.errors import ConfigError
from mainspring.object_state.containers import is_shared
from mainspring.object_state.inner_state import InnerState
from mainspring.rng.own_generators import generators_in
from mainspring.structures.nested_digest import nested_digest

__all__ = ["LoaderMemory", "TrainingData", "workers_draw_on"]


class LoaderMemory:
    """What a loader's data set and collate function remember.

    Args:
        loader: The loader.
        name: Its name among several; empty for a single one.
        sample_rng: Whose random numbers items draw, where the loader says nothing else.

    Attributes:
        title: What to call its data set.
        has_workers: Whether its items are loaded beside the training.
        is_seen: Whether what this process keeps of the data set counts for items to come.
    """

    def __init__(self, loader: Any, name: str, sample_rng: str) -> None:
        self.loader, self._name = loader, name
        self.title = titled("dataset", name)
        self.dataset: Any = getattr(loader, "dataset", None)
        self.has_workers = getattr(loader, "num_workers", 0) + getattr(loader, "threads", 0) > 0
        is_stream = isinstance(self.dataset, IterableDataset)
        stay = self.has_workers and getattr(loader, "persistent_workers", False)
        # A stream begins each pass anew; workers of torch that stay never see a change.
        self.is_seen = not is_stream and not (stay and not isinstance(loader, DataLoader))
        self._is_copied = self.has_workers and not (is_stream and not stay)
        one_stream_each = getattr(loader, "sample_rng", sample_rng) == "worker"
        self._tells_of_copies = one_stream_each and not is_stream
        self._seeds_items = not one_stream_each and not is_stream

    def parts(self) -> Iterator[tuple[str, Any]]:
        """What holds the state that items to come depend on, by what to call it."""
        if self.is_seen:
            yield self.title, self.dataset
        else:
            kept = getattr(self.dataset, "__dict__", {})
            yield self.title, {name: value for name, value in kept.items() if is_shared(value)}
        if not self.has_workers:
            collate = getattr(self.loader, "collate_fn", None)
            yield titled("collate_fn", self._name), owner_of(collate)

    def lost_in_workers(self) -> dict[str, str]:
        """What workers remember and nobody saves, by path: why."""
        if not self._is_copied:
            return {}
        in_data = InnerState(lambda: {self.title: self.dataset}, data=[self.title])
        what = "each worker process goes on with a copy of its own"
        own = [] if self._tells_of_copies else in_data.generators(but=self._is_no_copy)
        lost = in_data.unsaved() | dict.fromkeys(own, what)
        if self._tells_of_copies and not state_of_data(self.dataset, self.loader.collate_fn)[1]:
            lost[f"what the {self.title} remembers in workers"] = "it has too many parts"
        return lost

    def _is_no_copy(self, value: Any) -> bool:
        """Whether workers share something of the data set, or seed it for each item."""
        is_seeded = self._seeds_items and any(one is value for one in generators_in(value))
        return is_seeded or is_shared(value)


class TrainingData:
    """The loaders of a training, and what is lost of that which they remember.

    Args:
        loader: What the training iterates.
        sample_rng: As in `LoaderMemory`.

    Raises:
        ConfigError: What the training has seen cannot be known.

    Attributes:
        loaders: Those that give its batches.
    """

    def __init__(self, loader: Any, sample_rng: str) -> None:
        named = loader.loaders if isinstance(loader, CombinedLoader) else {"": loader}
        self.loaders = [LoaderMemory(each, name, sample_rng) for name, each in named.items()]
        if any(
            one.has_workers and not getattr(one.loader, "in_order", True) for one in self.loaders
        ):
            raise ConfigError(
                "in_order=False gives batches in the order in which workers finish: nobody could "
                "say which of them a checkpoint has seen, so the run could not be resumed",
                config_path="train_dataloader.in_order",
                help="leave it out for the training data; for validation it is fine",
            )
        copied = {one.title: one.dataset for one in self.loaders if one.is_seen and one.has_workers}
        self._copied = InnerState(lambda: copied, data=copied)
        self._at_begin: dict[str, str] = {}
        self._workers_draw_on = any(
            [workers_draw_on(one.loader, is_planned=True) for one in self.loaders]
            + [workers_draw_on(inside, is_planned=False) for inside in loaders_inside(loader)]
        )

    def begin_pass(self) -> None:
        """Note what the data remember that workers of an epoch get copies of."""
        self._at_begin = self._digests()

    def _digests(self) -> dict[str, str]:
        """Of what the data of this process remember beside the copies in workers."""
        kept = self._copied.capture()
        return {path: nested_digest(one["state"]) for path, one in kept.items()}

    def lost(self) -> dict[str, str]:
        """What no checkpoint has of it, by path: why."""
        lost: dict[str, str] = {}
        for one in self.loaders:
            lost |= one.lost_in_workers()
        before, now = self._at_begin, self._digests()
        changed = [path for path in {**now, **before} if now.get(path) != before.get(path)]
        what = "changed while workers load with a copy of how it was before"
        lost |= dict.fromkeys(changed, what)
        if self._workers_draw_on:
            what = "persistent workers go on with theirs from epoch to epoch"
            lost["random numbers of workers"] = what
        return lost


def workers_draw_on(loader: Any, *, is_planned: bool) -> bool:
    """Whether the workers of a loader draw numbers that nobody seeds anew or brings along.

    Args:
        loader: Any loader.
        is_planned: Whether the run plans the order of its items, where it is torch's.
    """
    stay = isinstance(loader, TorchDataLoader) and loader.persistent_workers
    if not stay or not draws_in_workers(loader):
        return False
    if isinstance(loader.dataset, IterableDataset):
        return True
    has_plan = is_planned and type(loader).__iter__ is TorchDataLoader.__iter__
    return not has_plan and not hasattr(loader, "load_state_dict")
