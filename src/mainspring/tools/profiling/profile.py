"""Where the time of an iteration goes."""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import repeat
from typing import Any

import torch

from mainspring.checkpoint.apply import unwrap
from mainspring.columns import counted
from mainspring.hooks.run import Run
from mainspring.tools.profiling.advice import WORTH_WAITING
from mainspring.tools.profiling.instruments import COMPILED_STEP, HOOK, REST_OF_STEP, Instruments
from mainspring.tools.profiling.matmul_peak import measure_matmul_peak
from mainspring.tools.profiling.measurement import Measurement, Section
from mainspring.tools.profiling.memory import MemoryPeak, resident_memory
from mainspring.tools.profiling.module_times import ModuleTimer
from mainspring.tools.profiling.occasional import time_checkpoint, time_validation
from mainspring.tools.profiling.operations import OperationCount
from mainspring.tools.profiling.planned_run import PlannedTrial, run_trial
from mainspring.tools.profiling.section_clock import SectionClock
from mainspring.tools.profiling.setup_of_run import device_of, precision_of, setup_of_run

__all__ = ["SECTIONS", "profile_run"]

SECTIONS = (
    "data",
    "host-to-device",
    "forward",
    "backward",
    "optimizer",
    COMPILED_STEP,
    "engine",
    "logging",
)
"""The sections of an iteration, in the order in which they are shown."""

_FOR_MEMORY = 2
_FOR_MODULES = 3
_FOR_OPERATIONS = 2
_FOR_TRACE = 3


def profile_run(
    cfg: Any, iterations: int = 30, warmup: int = 5, trace: str | None = None
) -> Measurement:
    """Train some iterations of what a config describes, and measure them.

    After `warmup` iterations, `iterations` are timed. Some more follow, in which modules, memory
    and operations are looked at; then one validation and one checkpoint. On a CUDA device every
    section waits for the device, so that iterations take longer than without profiling.

    Args:
        cfg: The config; not changed, as its work directory is not.
        iterations: Iterations to time.
        warmup: Iterations before them.
        trace: File for a Chrome trace of three further iterations; ``None`` for none.

    Returns:
        What was measured.

    Raises:
        ConfigError: The config has a mistake, or describes no training.
        Exception: Whatever the training raises.
    """
    watch = _Profile(iterations, warmup, trace)
    further = _FOR_MEMORY + _FOR_MODULES + _FOR_OPERATIONS + (_FOR_TRACE if trace else 0)
    run_trial(cfg, watch, warmup + iterations + further)
    return watch.result()


class _Profile(PlannedTrial):
    """The phases of a profile, one after the other."""

    def __init__(self, iterations: int, warmup: int, trace: str | None) -> None:
        self.iterations, self.warmup, self.trace = iterations, warmup, trace
        self.baseline = resident_memory()
        self.device = "cpu"
        self.synchronize: Callable[[], Any] | None = None
        self.clock = SectionClock()
        self.instruments = Instruments(self.clock)
        self.rows: list[dict[str, float]] = []
        self.began = 0.0
        self.first_wait: float | None = None
        self.batch: Any = None
        self.measured: dict[str, Any] = {}

    def built(self, runner: Run) -> None:
        """Time the hooks, before it is settled which methods are called."""
        self.device = device_of(runner)
        self.synchronize = torch.cuda.synchronize if self.device == "cuda" else None
        self.clock = SectionClock(self.synchronize)
        self.instruments = Instruments(self.clock)
        self.instruments.time_hooks(runner.hooks)

    def plan(self, runner: Run) -> Iterator[None]:
        """Warm up, time, look inside, count, trace; then validate and save."""
        self.instruments.time_step(runner.model, runner.optim_wrapper)
        self.began = time.perf_counter()
        yield from repeat(None, self.warmup)
        self.clock.start("data")
        for _ in range(self.iterations):
            yield
            self.clock.change_base("data")
            self.rows.append(self.clock.take())
        self.clock.stop()

        with MemoryPeak(self.device, self.baseline) as memory:
            yield from repeat(None, _FOR_MEMORY)
        self.measured["memory"] = memory.bytes
        if runner.cfg.get("compile"):
            # Looking inside would make torch compile other code than that of the run.
            yield from repeat(None, _FOR_MODULES + _FOR_OPERATIONS)
        else:
            with ModuleTimer(unwrap(runner.model), self.synchronize) as timer:
                yield from repeat(None, _FOR_MODULES)
            self.measured["modules"] = timer.result(_FOR_MODULES)
            counts = []
            for _ in range(_FOR_OPERATIONS):
                with OperationCount() as count:
                    yield
                counts.append((count.flops, count.calls))
            # The last batch of an epoch may be a small one, but not two in a row.
            flops, calls = max(counts)
            self.measured.update(flops=flops or None, calls=calls)
        if self.trace is not None:
            with torch.profiler.profile() as profiler:
                yield from repeat(None, _FOR_TRACE)
            profiler.export_chrome_trace(self.trace)
        self.instruments.put_back()
        # What does not belong to an iteration.
        measured = self.measured
        # Loading is worth being measured where there may be advice on it.
        waited = sum(row.get("data", 0.0) for row in self.rows)
        waits = waited >= WORTH_WAITING * sum(sum(row.values()) for row in self.rows)
        batch = self.batch if waits else None
        hook = self.checkpoint_hook
        measured["setup"] = setup_of_run(runner, hook, self.first_wait or 0.0, batch)
        step = getattr(unwrap(runner.model), "train_step", None)
        measured["not_compiled"] = getattr(step, "reason", None)
        measured["max_iters"] = self.max_iters
        measured["peak"] = measure_matmul_peak(self.device, precision_of(runner)[0])
        if self.validate is not None:
            measured["validation"] = time_validation(runner, self.validate)
        if hook is not None:
            measured["checkpoint"] = time_checkpoint(runner, hook, self.synchronize)

    def batch_came(self, runner: Run, data_batch: Any) -> None:
        """The wait for data ends."""
        if self.first_wait is None:
            self.first_wait = time.perf_counter() - self.began
        self.batch = data_batch
        if self.clock.running:
            self.clock.change_base("engine")

    def put_back(self) -> None:
        """Give the objects of the run their own methods again."""
        self.instruments.put_back()

    def result(self) -> Measurement:
        """What was measured."""
        rows = [in_sections(row) for row in self.rows]
        totals = [sum(row.values()) for row in rows]
        sections = {}
        for name in [name for name in SECTIONS if any(name in row for row in rows)]:
            values = [row.get(name, 0.0) for row in rows]
            share = sum(values) / sum(totals) if any(totals) else 0.0
            mean, median = statistics.fmean(values), statistics.median(values)
            sections[name] = Section(mean=mean, median=median, share=share)
        name = f"{platform.machine()}, {counted(torch.get_num_threads(), 'thread')}"
        return Measurement(
            device=self.device,
            device_name=torch.cuda.get_device_name() if self.device == "cuda" else name,
            iterations=len(rows),
            mean=statistics.fmean(totals),
            median=statistics.median(totals),
            sections=sections,
            hooks=_hook_means(self.rows),
            steady_hooks=_hook_means(self.rows, steady=True),
            **self.measured,
        )


def in_sections(row: Mapping[str, float]) -> dict[str, float]:
    """The seconds of an iteration by section of `SECTIONS`; what is none of them is the engine's.

    A step that never calls the model's own ``forward`` computes the losses itself: then what
    remains of the step is the forward pass.

    Args:
        row: Seconds by section of the clock.
    """
    seconds = {name: row[name] for name in SECTIONS if name in row}
    rest = row.get(REST_OF_STEP, 0.0)
    if REST_OF_STEP in row and "forward" not in row:
        seconds["forward"], rest = rest, 0.0
    rest += sum(value for name, value in row.items() if name.startswith(HOOK))
    seconds["engine"] = seconds.get("engine", 0.0) + rest
    return seconds


def _hook_means(rows: Sequence[Mapping[str, float]], steady: bool = False) -> dict[str, float]:
    """Seconds of an iteration by class of hook, slowest first.

    Args:
        rows: Seconds by section of the clock, of each iteration.
        steady: Leave out the iteration in which a hook took longest.
    """
    names = {name for row in rows for name in row if name.startswith(HOOK)}
    means = {}
    for name in names:
        values = sorted(row.get(name, 0.0) for row in rows)
        values = values[:-1] if steady else values
        means[name.removeprefix(HOOK)] = statistics.fmean(values) if values else 0.0
    return dict(sorted(means.items(), key=lambda item: -item[1]))
