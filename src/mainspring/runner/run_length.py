"""Where a run stands and how long it lasts: counters, validation intervals, endless batches."""

from __future__ import annotations

import bisect
import math
from collections.abc import Iterator, Sequence
from typing import Any

from mainspring.comparison import is_number
from mainspring.dataset import DataLoader, InfiniteSampler
from mainspring.dataset.any_loader import length_of, no_batch_error, set_loader_epoch
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.errors import ConfigError

__all__ = [
    "EndlessBatches",
    "IntervalSchedule",
    "begin_behind",
    "check_interval",
    "checked_length",
    "draws_from_global_generator",
    "is_whole",
]


def checked_length(name: str, value: Any) -> int:
    """A number of epochs or iterations, refused unless it is a whole number of at least one.

    Raises:
        ConfigError: It is not.
    """
    path = f"train_cfg.{name}"
    if not is_whole(value):
        raise ConfigError.of_value(path, value, "give a whole number")
    if value < 1:
        hint, consequence = "give a whole number of at least 1", "so nothing would be trained"
        raise ConfigError.of_value(path, value, hint, consequence)
    return int(value)


def check_interval(name: str, value: Any, least: int) -> None:
    """Refuse a number of epochs or iterations that is no whole one.

    Args:
        name: Its name in ``train_cfg``.
        value: The number.
        least: What it is at least, but for negative ones, which MMEngine's configs have.

    Raises:
        ConfigError: It is none.
    """
    if not is_whole(value) or 0 <= value < least:
        hint = f"give a whole number of at least {least}"
        raise ConfigError.of_value(f"train_cfg.{name}", value, hint)


def is_whole(value: Any) -> bool:
    """Whether a value is a whole number, of Python's or NumPy's."""
    return is_number(value) and math.isfinite(value) and int(value) == value


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
        path = "train_cfg.dynamic_intervals"
        advice = "list pairs (milestone, interval of at least 1)"
        if not isinstance(dynamic_intervals, list | tuple | None):
            raise ConfigError.of_value(path, dynamic_intervals, advice)
        pairs: list[Any] = list(dynamic_intervals or [])
        for pair in pairs:
            is_pair = isinstance(pair, tuple | list) and len(pair) == 2
            if not (is_pair and all(map(is_whole, pair)) and pair[1] >= 1):
                said = f"dynamic_intervals holds {pair!r}"
                raise ConfigError(said, config_path=path, help=advice)
        self.milestones = [0, *(int(milestone) for milestone, _ in pairs)]
        self.intervals = [interval, *(int(value) for _, value in pairs)]
        if self.milestones != sorted(self.milestones):
            said = f"dynamic_intervals has milestones {self.milestones[1:]}"
            raise ConfigError(said, config_path=path, help="list them in ascending order")

    def at(self, completed: int) -> int:
        """The interval that holds once `completed` epochs (iterations) are done."""
        return self.intervals[bisect.bisect(self.milestones, completed + 1) - 1]


def draws_from_global_generator(loader: Any) -> bool:
    """Whether starting an iteration of this loader consumes torch's global generator.

    Such loaders are started when the loop is built, as MMEngine does, so that what is drawn
    afterwards (the initial weights) is the same.
    """
    return getattr(loader, "sample_rng", "worker") != "sample"


def begin_behind(loader: Any, iterations: int) -> tuple[int, int]:
    """Pass and batches of it, for checkpoints of others, which count iterations only.

    Args:
        loader: The loader; one of ours is set there.
        iterations: Finished iterations.
    """
    is_endless = isinstance(getattr(loader, "sampler", None), InfiniteSampler)
    length = 0 if is_endless else length_of(loader)
    number, batches = divmod(iterations, length) if length else (0, iterations)
    if isinstance(loader, DataLoader):
        loader.load_state_dict({"epoch": number, "batches": batches, "seed": loader.seed})
    return number, batches


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
        self._batches: Iterator[Any] | None = self._source.batches(epoch, first_batch)

    def end_workers(self) -> None:
        """End the workers of the loader; the next batch begins where this one stood."""
        state = self._source.state_dict()
        if end_workers(self.loader):
            self._source.load_state_dict(state)
            self._batches = None

    def __iter__(self) -> EndlessBatches:
        return self

    def __next__(self) -> Any:
        if self._batches is None:
            self._batches = self._source.batches(self.epoch, self.delivered)
        try:
            batch = next(self._batches)
        except StopIteration:
            self.epoch += 1
            self.delivered = 0
            set_loader_epoch(self.loader, self.epoch)
            self._batches = self._source.batches(self.epoch)
            try:
                batch = next(self._batches)
            except StopIteration:
                raise no_batch_error("train_dataloader") from None
        self.delivered += 1
        return batch
