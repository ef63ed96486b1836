"""Which batch sizes fit into memory, and how fast each is."""

from __future__ import annotations

import copy
import gc
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import repeat
from typing import Any

import numpy as np
import torch

from mainspring.errors import ConfigError
from mainspring.hooks.run import Run
from mainspring.tools.profiling.memory import MemoryPeak, available_memory, resident_memory
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial
from mainspring.tools.profiling.setup_of_run import batch_size_of, device_of

__all__ = ["BatchSizeSearch", "TriedSize", "find_batch_size", "is_out_of_memory", "knee"]

_FIRST = 8
_WARMUP = 2
_ITERATIONS = 5
_PART_OF_AVAILABLE = 0.8
_NEARLY_FASTEST = 0.9


@dataclass(frozen=True, slots=True)
class TriedSize:
    """A batch size that was tried.

    Attributes:
        size: Samples of a batch.
        fits: Whether it fits into memory.
        samples_per_second: Samples a second; 0 if it does not fit or was not run.
        memory: Bytes at the peak; an estimate for a size that was not run; 0 if unknown.
        was_run: Whether it was run, rather than ruled out by what smaller sizes take.
        refused: Why a batch of one sample cannot be trained; batch norm needs two.
    """

    size: int
    fits: bool
    samples_per_second: float = 0.0
    memory: int = 0
    was_run: bool = True
    refused: str = ""


@dataclass(frozen=True, slots=True)
class BatchSizeSearch:
    """The outcome of a search.

    Attributes:
        tried: The sizes that were tried, rising.
        device: Where.
        limit: Bytes that may be taken; ``None`` where the device itself says when it is full.
        samples: Samples of the data set; ``None`` if unknown.
        ended_by: Why there is no larger size: ``memory``, ``samples``, ``max``.
    """

    tried: list[TriedSize] = field(default_factory=list)
    device: str = "cpu"
    limit: int | None = None
    samples: int | None = None
    ended_by: str = "memory"

    @property
    def largest(self) -> int | None:
        """The largest size that was found to fit."""
        return max((item.size for item in self.tried if item.fits), default=None)

    @property
    def suggested(self) -> int | None:
        """The size from which on larger batches are hardly faster."""
        return knee(self.tried)


def knee(tried: list[TriedSize], part: float = _NEARLY_FASTEST) -> int | None:
    """The smallest size that reaches a part of the highest throughput.

    Args:
        tried: Sizes with their throughput.
        part: That part, 0 to 1.
    """
    fitting = [item for item in tried if item.fits and item.was_run]
    if not fitting:
        return None
    fastest = max(item.samples_per_second for item in fitting)
    return min(item.size for item in fitting if item.samples_per_second >= part * fastest)


def find_batch_size(
    cfg: Any,
    largest: int | None = None,
    memory: int | None = None,
    report: Callable[[TriedSize], None] | None = None,
) -> BatchSizeSearch:
    """Double the batch size until memory runs out, then search between the last two.

    A CUDA device is filled until it refuses. The memory of the machine is not: there, a size is
    run only if what smaller ones took says that it stays within a limit. The search begins at the
    batch size of the config, or at 8 if that is smaller.

    Args:
        cfg: The config; not changed, as its work directory is not.
        largest: Largest size to try; ``None`` for none.
        memory: Bytes that the process may grow by; by default four fifths of what is free. On CUDA
            a limit only if given.
        report: Called with each size that was tried, at once.

    Returns:
        What was tried.

    Raises:
        ConfigError: The config has a mistake, or does not say the batch size.
        Exception: Whatever the training raises for another reason than memory.
    """
    loader = cfg.get("train_dataloader")
    if not isinstance(loader, Mapping) or loader.get("batch_size") is None:
        raise ConfigError(
            "train_dataloader does not say its batch_size, so that it cannot be changed",
            config_path="train_dataloader.batch_size",
            help="give the loader as a dict with batch_size=...",
        )
    own = loader["batch_size"]
    search = _Search(cfg, memory, report)
    size = min(own, _FIRST) if isinstance(own, int) and own > 0 else 1
    fitting, failing = 0, None
    while failing is None:
        cap = min(value for value in (size, largest, search.samples) if value is not None)
        if cap <= fitting:
            break
        if search.fits(cap):
            fitting, size = cap, 2 * cap
        elif search.refused is not None and cap == 1:
            size = 2  # if it is refused for another reason, this size is, too
            if 1 in (largest, search.samples):
                raise search.refused
        else:
            failing = cap
    while failing is not None and failing - fitting > max(1, fitting // 8):
        middle = (fitting + failing) // 2
        if search.fits(middle):
            fitting = middle
        else:
            failing = middle
    ended = "samples" if search.samples in search.tried else "max"
    ended = ended if failing is None else "memory"
    tried = [search.tried[size] for size in sorted(search.tried)]
    return BatchSizeSearch(tried, search.device, search.limit, search.samples, ended)


class _Search:
    """Tries sizes, and knows what was learnt."""

    def __init__(
        self, cfg: Any, memory: int | None, report: Callable[[TriedSize], None] | None
    ) -> None:
        self.cfg, self.report, self.limit = cfg, report, memory
        self.baseline = resident_memory()
        self.device = "cpu"
        self.samples: int | None = None
        self.refused: Exception | None = None
        self.tried: dict[int, TriedSize] = {}

    def fits(self, size: int) -> bool:
        """Whether a size fits; it is run, unless smaller ones say that it does not."""
        tried: TriedSize | None = None
        ran = sorted(number for number, it in self.tried.items() if it.was_run and it.fits)
        if self.limit is not None and len(ran) > 1:
            # Along the line through the two largest sizes that ran.
            smaller, larger = (self.tried[number] for number in ran[-2:])
            slope = max(0.0, (larger.memory - smaller.memory) / (larger.size - smaller.size))
            expected = int(larger.memory + slope * (size - larger.size))
            if expected > self.limit:
                tried = TriedSize(size, fits=False, memory=expected, was_run=False)
        self.tried[size] = tried = tried or self._run(size)
        if self.report is not None:
            self.report(tried)
        return tried.fits

    def _run(self, size: int) -> TriedSize:
        cfg = copy.deepcopy(self.cfg)
        cfg["train_dataloader"]["batch_size"] = size
        watch = _Throughput(size, self.baseline)
        try:
            run_trial(cfg, watch, _WARMUP + _ITERATIONS)
        except Exception as error:
            if is_out_of_memory(error):
                return TriedSize(size, fits=False)
            if size > 1:
                raise
            self.refused = error
            return TriedSize(size, fits=False, refused=str(error).partition("\n")[0])
        finally:
            self.device, self.samples = watch.device, watch.samples
            _free()
            available = available_memory() if watch.device != "cuda" else None
            if self.limit is None and available is not None:
                self.limit = int(_PART_OF_AVAILABLE * available)
        fits = self.limit is None or watch.memory <= self.limit
        return TriedSize(size, fits, watch.samples_per_second, watch.memory)


class _Throughput(PlannedTrial):
    """Measures memory in the first iterations, and throughput in further ones."""

    may_diverge = True

    def __init__(self, size: int, baseline: int) -> None:
        self.size = size
        self.baseline = baseline
        self.device = "cpu"
        self.samples: int | None = None
        self.memory = 0
        self.samples_per_second = 0.0

    def built(self, runner: Run) -> None:
        """Look where the run takes place, before memory can run out."""
        self.device = device_of(runner)
        loader = runner.train_loop.dataloader
        if batch_size_of(loader) != self.size:
            raise ConfigError(
                f"the training loader has batches of {batch_size_of(loader)}, though "
                f"train_dataloader.batch_size was set to {self.size}",
                config_path="train_dataloader",
                help="leave the size of batches to batch_size",
            )
        dataset: Any = getattr(loader, "dataset", None)
        self.samples = len(dataset) if hasattr(dataset, "__len__") else None

    def plan(self, runner: Run) -> Iterator[None]:
        """Two iterations for memory, of which the second has the optimizer's state; then timing."""
        with MemoryPeak(self.device, self.baseline) as memory:
            yield from repeat(None, _WARMUP)
        self.memory = memory.bytes
        moments = []
        for _ in range(_ITERATIONS + 1):
            if self.device == "cuda":
                torch.cuda.synchronize()
            moments.append(time.perf_counter())
            if len(moments) <= _ITERATIONS:
                yield
        self.samples_per_second = self.size / float(np.median(np.diff(moments)))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory ran out, on a device or in the process.

    Args:
        error: The error.
    """
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    words = ("out of memory", "can't allocate memory", "cudnn_status_alloc_failed")
    return isinstance(error, RuntimeError) and any(word in text for word in words)


def _free() -> None:
    """Give back what a trial that failed may still hold."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
