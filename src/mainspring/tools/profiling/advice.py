"""From a measurement to the changes most likely to help: small rules, each a pure function.

A rule looks at one thing and returns an `Advice` with an estimate of what it gains, or ``None``.
The estimates follow from what was measured where that is possible, and are marked as such in each
rule where they are only typical.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

from mainspring.tools.profiling.measurement import Measurement, Occasional

__all__ = ["RULES", "WORTH_WAITING", "Advice", "best_advice"]

WORTH_WAITING = 0.2
"""Part of an iteration, 0 to 1, from which on waiting for data is something to change."""

_WORTH_SAYING = 0.02


@dataclass(frozen=True, slots=True)
class Advice:
    """A change of the config.

    Attributes:
        title: What to do.
        reason: What was measured.
        gain: Part of the time of the run that it saves, estimated, 0 to 1.
        lines: What to write, as changes of the command line; empty if it is no setting.
    """

    title: str
    reason: str
    gain: float
    lines: tuple[str, ...] = ()


def best_advice(measurement: Measurement, count: int = 3) -> list[Advice]:
    """The changes that save the most, best first.

    Args:
        measurement: The measurement.
        count: How many at most.
    """
    found = [rule(measurement) for rule in RULES]
    worth = [advice for advice in found if advice is not None and advice.gain >= _WORTH_SAYING]
    return sorted(worth, key=lambda advice: -advice.gain)[:count]


_Change = tuple[str, str, float, *tuple[str, ...]]
"""Title, reason, seconds that it saves in each iteration, and lines to write."""

_Rule = Callable[[Measurement], Advice | None]

RULES: list[_Rule] = []
"""All rules."""


def _rule(
    change: Callable[[Measurement], _Change | None],
) -> Callable[[Measurement], Advice | None]:
    """Make a rule of a function that gives a change, and note it."""

    @functools.wraps(change)
    def rule(m: Measurement) -> Advice | None:
        found = change(m)
        if found is None:
            return None
        title, reason, seconds, *lines = found
        gain = max(0.0, seconds) / m.per_iteration if m.per_iteration else 0.0
        return Advice(title, reason, gain, tuple(lines))

    RULES.append(rule)
    return rule


@_rule
def load_with_other_workers(m: Measurement) -> _Change | None:
    """Waiting for data: enough workers hide it, as far as there are cores.

    What loading a batch takes is the wait without workers; with k workers that are always busy,
    it is k times an iteration, unless it was measured. Handing a batch over costs as well, so that
    cheap data are loaded fastest without workers.
    """
    data, setup = m.share("data"), m.setup
    if data < WORTH_WAITING:
        return None
    waiting = m.mean * data
    computing = max(m.mean - waiting, 1e-9)
    loading = waiting if setup.num_workers == 0 else setup.num_workers * m.mean
    if setup.num_workers and setup.loading is not None:
        loading = setup.loading

    def iteration(workers: int) -> float:
        if workers == 0:
            return computing + loading
        return max(computing + setup.handover, (loading + setup.handover) / workers)

    choices = range(max(setup.cores, setup.num_workers) + 1)
    fastest = min(map(iteration, choices))
    workers = next(count for count in choices if iteration(count) <= fastest * (1 + 1e-6))
    if workers == setup.num_workers or fastest >= m.mean:
        return None
    lines = [f"train_dataloader.num_workers={workers}"]
    if setup.persistent_workers != (workers > 0):
        lines.append(f"train_dataloader.persistent_workers={workers > 0}")
    title = "load data in the training process"
    if workers:
        title = f"load data in {workers} worker process{'es' if workers > 1 else ''}"
    reason = f"{data:.0%} of an iteration is waiting for data, with num_workers={setup.num_workers}"
    if not workers:
        reason += f"; loading a batch takes {loading * 1e3:.2g} ms, handing it over "
        reason += f"{setup.handover * 1e3:.2g} ms"
    return title, reason, m.mean - fastest, *lines


@_rule
def make_loading_cheaper(m: Measurement) -> _Change | None:
    """Waiting for data though workers do not help, or every core loads it: only cheaper loading."""
    data, setup = m.share("data"), m.setup
    if data < WORTH_WAITING or load_with_other_workers(m) is not None:
        return None
    reason = f"{data:.0%} of an iteration is waiting for data, "
    if setup.num_workers:
        reason += f"though {setup.num_workers} workers load it on {setup.cores} cores"
    else:
        reason += f"and workers would take {setup.handover * 1e3:.2g} ms to hand a batch over"
    title = "make loading a sample cheaper: decode and resize once, cache, or simplify transforms"
    return title, reason, m.mean * data / 2


@_rule
def keep_workers(m: Measurement) -> _Change | None:
    """Starting worker processes in every epoch."""
    setup = m.setup
    if not setup.num_workers or setup.persistent_workers or not setup.epoch_length:
        return None
    if load_with_other_workers(m) is not None:
        return None  # which keeps them as well, or does without
    data = m.sections.get("data")
    start = setup.first_wait - (data.median if data else 0.0)
    gain = max(0.0, start) / setup.epoch_length
    if gain < 0.02 * m.mean:
        return None
    title = "keep the worker processes from epoch to epoch"
    reason = f"the first batch of an epoch took {start:.2f} s longer than others"
    return title, reason, gain, "train_dataloader.persistent_workers=True"


@_rule
def pin_memory(m: Measurement) -> _Change | None:
    """Copies from pageable memory; pinned ones typically take half."""
    copying = m.share("host-to-device")
    if m.device != "cuda" or m.setup.pin_memory or copying < 0.05:
        return None
    reason = f"{copying:.0%} of an iteration is copying to the device and preprocessing there"
    line = "train_dataloader.pin_memory=True"
    return "load batches into pinned memory", reason, m.mean * copying / 2, line


@_rule
def fuse_optimizer(m: Measurement) -> _Change | None:
    """An optimizer that goes over the parameters several times; fused, it typically takes half."""
    share, setup = m.share("optimizer"), m.setup
    if share < 0.1 or setup.fused or not setup.can_be_fused:
        return None
    reason = f"the optimizer takes {share:.0%} of an iteration"
    line = "optim_wrapper.optimizer.fused=True"
    return f"use the fused {setup.optimizer}", reason, m.mean * share / 2, line


@_rule
def compile_model(m: Measurement) -> _Change | None:
    """Many small operators; compiled, those of a device typically take two thirds."""
    if m.setup.compiled or not m.calls:
        return None
    seconds = m.mean * m.computing / m.calls
    if seconds > (20e-6 if m.device == "cuda" else 10e-6) or m.computing < 0.3:
        return None
    reason = f"{m.calls} operators of {seconds * 1e6:.0f} us on average: calling them costs as "
    reason += "much as computing"
    return "compile the model", reason, m.mean * m.computing / 3, "compile=True"


@_rule
def use_mixed_precision(m: Measurement) -> _Change | None:
    """Products in float32 on a GPU; in a lower precision they typically take half."""
    setup = m.setup
    if m.device != "cuda" or setup.autocast or setup.precision != "float32" or m.computing < 0.3:
        return None
    reason = f"forward and backward take {m.computing:.0%} of an iteration, in float32"
    lines = ("optim_wrapper.type=AmpOptimWrapper", "optim_wrapper.dtype=bfloat16")
    return "train in mixed precision", reason, m.mean * m.computing * 0.4, *lines


@_rule
def enlarge_batch(m: Measurement) -> _Change | None:
    """A device far from its peak: what an iteration costs whatever its batch is shared by more.

    With twice the batch, engine, logging and optimizer are paid half as often, and products are
    typically a fifth faster.
    """
    fixed, size = m.share("engine", "logging", "optimizer"), m.setup.batch_size
    low = m.achieved is not None and m.achieved < 0.2
    if not low or m.share("data") > 0.5 or size is None:
        return None
    faster = m.computing / 5 if m.device == "cuda" else 0.0
    achieved = f"{m.achieved:.0%}" if (m.achieved or 0.0) >= 0.01 else "under 1%"
    reason = f"{achieved} of the peak is achieved with batches of {size}; `mainspring "
    reason += "batch-size-find` finds a size, `mainspring lr-find` its learning rate"
    line = f"train_dataloader.batch_size={2 * size}"
    return "train with larger batches", reason, m.mean * (fixed / 2 + faster), line


@_rule
def search_convolutions(m: Measurement) -> _Change | None:
    """Convolutions by heuristics; the fastest algorithm typically saves a tenth."""
    setup = m.setup
    if m.device != "cuda" or not setup.convolutions or setup.cudnn_benchmark:
        return None
    title = "let cuDNN search for the fastest convolutions, if batches keep their shape"
    reason = "the model has convolutions, and env_cfg.cudnn_benchmark is off"
    return title, reason, m.mean * m.computing / 10, "env_cfg.cudnn_benchmark=True"


@_rule
def validate_less(m: Measurement) -> _Change | None:
    """Validations: half as many take half."""
    return _less_often(m, m.validation, 0.1, "validate less often", "train_cfg.val_interval")


@_rule
def save_in_background(m: Measurement) -> _Change | None:
    """Checkpoints that training waits for; in the background nearly all of it is saved."""
    share = _share(m, m.checkpoint)
    if m.checkpoint is None or m.setup.async_save is not False or share < 0.05:
        return None
    reason = f"training waits for checkpoints {share:.0%} of the time"
    line = "default_hooks.checkpoint.async_save=True"
    return "write checkpoints in the background", reason, m.checkpoint.per_iteration * 0.8, line


@_rule
def save_less(m: Measurement) -> _Change | None:
    """Checkpoints: half as many take half."""
    path = "default_hooks.checkpoint.interval"
    return _less_often(m, m.checkpoint, 0.05, "save less often", path)


@_rule
def log_less(m: Measurement) -> _Change | None:
    """Logging: a longer interval saves what a log line takes."""
    share, interval = m.share("logging"), m.setup.log_interval
    if share < 0.05 or not 0 < interval < 50:
        return None
    reason = f"logging takes {share:.0%} of an iteration, with a line every {interval} iterations"
    seconds = m.mean * share * (1 - interval / 50)
    return "log less often", reason, seconds, "default_hooks.logger.interval=50"


@_rule
def look_at_hook(m: Measurement) -> _Change | None:
    """A hook that takes much in each iteration; at an interval of ten, a tenth remains."""
    name, seconds = next(iter(m.steady_hooks.items()), ("", 0.0))
    share = seconds / m.mean if m.mean else 0.0
    if share < 0.05:
        return None
    return f"let {name} act less often", f"{name} takes {share:.0%} of an iteration", seconds * 0.9


@_rule
def look_at_module(m: Measurement) -> _Change | None:
    """A module of the user's own in whose code half of an iteration goes; faster, half of that."""
    own = [item for item in m.modules if not item.comes_with_torch]
    if not own or not m.mean:
        return None
    slowest = max(own, key=lambda item: item.seconds)
    share = slowest.seconds / m.mean
    if share < 0.5:
        return None
    title = f"make {slowest.name} ({slowest.kind}) faster"
    reason = f"its own forward code takes {min(share, 1.0):.0%} of an iteration; --trace shows "
    return title, f"{reason}what it calls", min(slowest.seconds, m.mean) / 2


def _share(m: Measurement, occasional: Occasional | None) -> float:
    """The part of the run that something takes."""
    return occasional.per_iteration / m.per_iteration if occasional and m.per_iteration else 0.0


def _less_often(
    m: Measurement, occasional: Occasional | None, limit: float, title: str, path: str
) -> _Change | None:
    share = _share(m, occasional)
    if occasional is None or share < limit:
        return None
    reason = f"{share:.0%} of the run: {occasional.seconds:.2g} s {occasional.rhythm}"
    line = f"{path}={2 * max(1, occasional.interval)}"
    return title, reason, occasional.per_iteration / 2, line
