"""Where a run stands and how long it lasts: counters, validation intervals, endless batches."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from typing import Any

from mainspring.dataset.resumable_loader import ResumableLoader
from mainspring.errors import ConfigError, DataError

__all__ = [
    "EndlessBatches",
    "IntervalSchedule",
    "checked_length",
    "draws_from_global_generator",
    "set_loader_epoch",
]


def checked_length(name: str, value: Any) -> int:
    """A number of epochs or iterations, refused unless it is a whole number of at least one.

    Raises:
        ConfigError: It is not.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or int(value) != value:
        raise ConfigError(
            f"{name} is {value!r}", config_path=f"train_cfg.{name}", help="give a whole number"
        )
    if value < 1:
        raise ConfigError(
            f"{name} is {value!r}, so nothing would be trained",
            config_path=f"train_cfg.{name}",
            help="give a whole number of at least 1",
        )
    return int(value)


class IntervalSchedule:
    """How often to validate, possibly more often from some point on.

    Args:
        interval: Epochs (or iterations) between two validations.
        dynamic_intervals: Pairs of (milestone, interval): from that epoch (iteration) on, counted
            from 1, the interval is another one.

    Raises:
        ConfigError: The pairs are not pairs of whole numbers in ascending order.
    """

    def __init__(
        self, interval: int, dynamic_intervals: Sequence[tuple[int, int]] | None = None
    ) -> None:
        pairs: list[Any] = list(dynamic_intervals or [])
        for pair in pairs:
            if not (isinstance(pair, tuple | list) and len(pair) == 2):
                raise ConfigError(
                    f"dynamic_intervals holds {pair!r}",
                    config_path="train_cfg.dynamic_intervals",
                    help="each entry is a pair (milestone, interval)",
                )
        self.milestones = [0, *(int(milestone) for milestone, _ in pairs)]
        self.intervals = [interval, *(int(value) for _, value in pairs)]
        if self.milestones != sorted(self.milestones):
            raise ConfigError(
                f"dynamic_intervals has milestones {self.milestones[1:]}",
                config_path="train_cfg.dynamic_intervals",
                help="list them in ascending order",
            )

    def at(self, completed: int) -> int:
        """The interval that holds once `completed` epochs (iterations) are done."""
        return self.intervals[bisect.bisect(self.milestones, completed + 1) - 1]


def set_loader_epoch(loader: Any, epoch: int) -> None:
    """Tell a loader, or else its sampler, which epoch begins."""
    if hasattr(loader, "set_epoch"):
        loader.set_epoch(epoch)
        return
    sampler: Any = getattr(loader, "sampler", None)
    if hasattr(sampler, "set_epoch"):
        sampler.set_epoch(epoch)
        return
    inner: Any = getattr(getattr(loader, "batch_sampler", None), "sampler", None)
    if hasattr(inner, "set_epoch"):
        inner.set_epoch(epoch)


def draws_from_global_generator(loader: Any) -> bool:
    """Whether starting an iteration of this loader consumes torch's global generator.

    Such loaders are started when the loop is built, as MMEngine does, so that what is drawn
    afterwards (the initial weights) is the same.
    """
    return getattr(loader, "sample_rng", "worker") != "sample"


class EndlessBatches:
    """The batches of a loader, pass after pass.

    Attributes:
        epoch: Number of the pass through the loader that is under way, counted from 0.
        delivered: Batches given out in this pass.

    Args:
        loader: What gives the batches of a pass; or a loader, which is then made one.
        epoch: Pass to begin with.
        first_batch: Batches of that pass to leave out.
    """

    def __init__(self, loader: Any, epoch: int = 0, first_batch: int = 0) -> None:
        is_ready = isinstance(loader, ResumableLoader)
        self._source: ResumableLoader = loader if is_ready else ResumableLoader(loader)
        self.loader = self._source.loader
        self.epoch = epoch
        self.delivered = first_batch
        if epoch:
            set_loader_epoch(self.loader, epoch)
        self._batches = self._source.batches(epoch, first_batch)

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Any:
        try:
            batch = next(self._batches)
        except StopIteration:
            batch = self._first_of_next_pass()
        self.delivered += 1
        return batch

    def _first_of_next_pass(self) -> Any:
        self.epoch += 1
        self.delivered = 0
        set_loader_epoch(self.loader, self.epoch)
        self._batches = self._source.batches(self.epoch)
        try:
            return next(self._batches)
        except StopIteration:
            raise DataError(
                "the training loader gives no batch",
                config_path="train_dataloader",
                help="the data set is empty, or smaller than one batch with drop_last=True",
            ) from None
