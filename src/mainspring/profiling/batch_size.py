"""Which batch sizes fit into memory, and how fast each is."""

from __future__ import annotations

import copy
import gc
import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from mainspring.errors import ConfigError
from mainspring.profiling.memory import MemoryPeak, available_memory, resident_memory
from mainspring.profiling.setup_of_run import batch_size_of, device_of
from mainspring.profiling.trial import Watch, run_trial

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
    """

    size: int
    fits: bool
    samples_per_second: float = 0.0
    memory: int = 0
    was_run: bool = True


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
    search = _Search(cfg, largest, memory, report or (lambda _: None))
    return search.run()


class _Search:
    """Tries sizes, and knows what was learnt."""

    def __init__(
        self,
        cfg: Any,
        largest: int | None,
        memory: int | None,
        report: Callable[[TriedSize], None],
    ) -> None:
        loader = cfg.get("train_dataloader")
        if not isinstance(loader, Mapping) or loader.get("batch_size") is None:
            raise ConfigError(
                "train_dataloader does not say its batch_size, so that it cannot be changed",
                config_path="train_dataloader.batch_size",
                help="give the loader as a dict with batch_size=...",
            )
        self.cfg, self.largest, self.report = cfg, largest, report
        own = loader["batch_size"]
        self.first = min(own, _FIRST) if isinstance(own, int) and own > 0 else 1
        self.given_limit = memory
        self.limit: int | None = memory
        self.baseline = resident_memory()
        self.device = "cpu"
        self.samples: int | None = None
        self.tried: dict[int, TriedSize] = {}

    def run(self) -> BatchSizeSearch:
        """Double, then halve the interval that remains."""
        size, fitting, failing = self.first, 0, None
        while failing is None:
            cap = min(value for value in (size, self.largest, self.samples) if value is not None)
            if cap <= fitting:
                break
            if self._try(cap).fits:
                fitting = cap
                size = 2 * cap
            else:
                failing = cap
        while failing is not None and failing - fitting > max(1, fitting // 8):
            middle = (fitting + failing) // 2
            if self._try(middle).fits:
                fitting = middle
            else:
                failing = middle
        return BatchSizeSearch(
            tried=[self.tried[size] for size in sorted(self.tried)],
            device=self.device,
            limit=self.limit,
            samples=self.samples,
            ended_by=self._end(failing),
        )

    def _end(self, failing: int | None) -> str:
        if failing is not None:
            return "memory"
        return "samples" if self.samples in self.tried else "max"

    def _try(self, size: int) -> TriedSize:
        expected = self._expected(size)
        if self.limit is not None and expected is not None and expected > self.limit:
            tried = TriedSize(size, fits=False, memory=expected, was_run=False)
        else:
            tried = self._run(size)
        self.tried[size] = tried
        self.report(tried)
        return tried

    def _expected(self, size: int) -> int | None:
        """Bytes that a size will take, along the line through the two largest sizes that ran."""
        ran = [item for item in self.tried.values() if item.was_run and item.fits]
        if len(ran) < 2:
            return None
        smaller, larger = sorted(ran, key=lambda item: item.size)[-2:]
        slope = max(0.0, (larger.memory - smaller.memory) / (larger.size - smaller.size))
        return int(larger.memory + slope * (size - larger.size))

    def _run(self, size: int) -> TriedSize:
        cfg = copy.deepcopy(self.cfg)
        cfg["train_dataloader"]["batch_size"] = size
        watch = _Throughput(size, self.baseline)
        try:
            run_trial(cfg, watch, _WARMUP + _ITERATIONS)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
            return TriedSize(size, fits=False)
        finally:
            self._learn(watch)
            _free()
        fits = self.limit is None or watch.memory <= self.limit
        return TriedSize(size, fits, watch.samples_per_second, watch.memory)

    def _learn(self, watch: _Throughput) -> None:
        """What the first run tells about device and data."""
        self.device = watch.device
        self.samples = watch.samples
        if self.given_limit is None and self.limit is None and watch.device != "cuda":
            available = available_memory()
            if available is not None:
                self.limit = int(_PART_OF_AVAILABLE * available)


class _Throughput(Watch):
    """Measures memory in the first iterations, and throughput in further ones."""

    may_diverge = True

    def __init__(self, size: int, baseline: int) -> None:
        self.size = size
        self.baseline = baseline
        self.device = "cpu"
        self.samples: int | None = None
        self.memory = 0
        self.samples_per_second = 0.0

    def built(self, runner: Any) -> None:
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

    def plan(self, runner: Any) -> Iterator[None]:
        """Two iterations for memory, of which the second has the optimizer's state; then timing."""
        with MemoryPeak(self.device, self.baseline) as memory:
            for _ in range(_WARMUP):
                yield
        self.memory = memory.bytes
        seconds = []
        for _ in range(_ITERATIONS):
            self._wait()
            start = time.perf_counter()
            yield
            self._wait()
            seconds.append(time.perf_counter() - start)
        self.samples_per_second = self.size / statistics.median(seconds)

    def _wait(self) -> None:
        if self.device == "cuda":
            torch.cuda.synchronize()


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
