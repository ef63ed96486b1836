"""From a measurement to the changes most likely to help: small rules, each a pure function.

A rule looks at one thing and returns an `Advice` with an estimate of what it gains, or ``None``.
The estimates follow from what was measured where that is possible, and are marked as such in each
rule where they are only typical.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mainspring.profiling.measurement import Measurement, Occasional

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


def load_with_other_workers(m: Measurement) -> Advice | None:
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
        reason += (
            f"; loading a batch takes {loading * 1e3:.2g} ms, handing it over "
            f"{setup.handover * 1e3:.2g} ms"
        )
    return Advice(title, reason, _of_run(m, m.mean - fastest), tuple(lines))


def make_loading_cheaper(m: Measurement) -> Advice | None:
    """Waiting for data though workers do not help, or every core loads it: only cheaper loading."""
    data, setup = m.share("data"), m.setup
    if data < WORTH_WAITING or load_with_other_workers(m) is not None:
        return None
    reason = f"{data:.0%} of an iteration is waiting for data, "
    if setup.num_workers:
        reason += f"though {setup.num_workers} workers load it on {setup.cores} cores"
    else:
        reason += f"and workers would take {setup.handover * 1e3:.2g} ms to hand a batch over"
    return Advice(
        "make loading a sample cheaper: decode and resize once, cache, or simplify transforms",
        reason,
        _of_run(m, m.mean * data / 2),
    )


def keep_workers(m: Measurement) -> Advice | None:
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
    return Advice(
        "keep the worker processes from epoch to epoch",
        f"the first batch of an epoch took {start:.2f} s longer than others",
        _of_run(m, gain),
        ("train_dataloader.persistent_workers=True",),
    )


def pin_memory(m: Measurement) -> Advice | None:
    """Copies from pageable memory; pinned ones typically take half."""
    copying = m.share("host-to-device")
    if m.device != "cuda" or m.setup.pin_memory or copying < 0.05:
        return None
    return Advice(
        "load batches into pinned memory",
        f"{copying:.0%} of an iteration is copying to the device and preprocessing there",
        _of_run(m, m.mean * copying / 2),
        ("train_dataloader.pin_memory=True",),
    )


def fuse_optimizer(m: Measurement) -> Advice | None:
    """An optimizer that goes over the parameters several times; fused, it typically takes half."""
    share, setup = m.share("optimizer"), m.setup
    if share < 0.1 or setup.fused or not setup.can_be_fused:
        return None
    return Advice(
        f"use the fused {setup.optimizer}",
        f"the optimizer takes {share:.0%} of an iteration",
        _of_run(m, m.mean * share / 2),
        ("optim_wrapper.optimizer.fused=True",),
    )


def compile_model(m: Measurement) -> Advice | None:
    """Many small operators; compiled, those of a device typically take two thirds."""
    if m.setup.compiled or not m.calls:
        return None
    seconds = m.mean * m.computing / m.calls
    limit = 20e-6 if m.device == "cuda" else 10e-6
    if seconds > limit or m.computing < 0.3:
        return None
    return Advice(
        "compile the model",
        f"{m.calls} operators of {seconds * 1e6:.0f} us on average: calling them costs as much as "
        "computing",
        _of_run(m, m.mean * m.computing / 3),
        ("compile=True",),
    )


def use_mixed_precision(m: Measurement) -> Advice | None:
    """Products in float32 on a GPU; in a lower precision they typically take half."""
    setup = m.setup
    if m.device != "cuda" or setup.autocast or setup.precision != "float32" or m.computing < 0.3:
        return None
    return Advice(
        "train in mixed precision",
        f"forward and backward take {m.computing:.0%} of an iteration, in float32",
        _of_run(m, m.mean * m.computing * 0.4),
        ("optim_wrapper.type=AmpOptimWrapper", "optim_wrapper.dtype=bfloat16"),
    )


def enlarge_batch(m: Measurement) -> Advice | None:
    """A device far from its peak: what an iteration costs whatever its batch is shared by more.

    With twice the batch, engine, logging and optimizer are paid half as often, and products are
    typically a fifth faster.
    """
    fixed = m.share("engine", "logging", "optimizer")
    low = m.achieved is not None and m.achieved < 0.2
    if not low or m.share("data") > 0.5 or m.setup.batch_size is None:
        return None
    faster = m.computing / 5 if m.device == "cuda" else 0.0
    return Advice(
        "train with larger batches",
        f"{_percent(m.achieved or 0.0)} of the peak is achieved with batches of "
        f"{m.setup.batch_size}; "
        "`mainspring batch-size-find` finds a size, `mainspring lr-find` its learning rate",
        _of_run(m, m.mean * (fixed / 2 + faster)),
        (f"train_dataloader.batch_size={2 * m.setup.batch_size}",),
    )


def search_convolutions(m: Measurement) -> Advice | None:
    """Convolutions by heuristics; the fastest algorithm typically saves a tenth."""
    setup = m.setup
    if m.device != "cuda" or not setup.convolutions or setup.cudnn_benchmark:
        return None
    return Advice(
        "let cuDNN search for the fastest convolutions, if batches keep their shape",
        "the model has convolutions, and env_cfg.cudnn_benchmark is off",
        _of_run(m, m.mean * m.computing / 10),
        ("env_cfg.cudnn_benchmark=True",),
    )


def validate_less(m: Measurement) -> Advice | None:
    """Validations: half as many take half."""
    return _less_often(m, m.validation, 0.1, "validate less often", "train_cfg.val_interval")


def save_in_background(m: Measurement) -> Advice | None:
    """Checkpoints that training waits for; in the background nearly all of it is saved."""
    share = _share(m, m.checkpoint)
    if m.setup.async_save is not False or share < 0.05:
        return None
    return Advice(
        "write checkpoints in the background",
        f"training waits for checkpoints {share:.0%} of the time",
        share * 0.8,
        ("default_hooks.checkpoint.async_save=True",),
    )


def save_less(m: Measurement) -> Advice | None:
    """Checkpoints: half as many take half."""
    return _less_often(
        m, m.checkpoint, 0.05, "save less often", "default_hooks.checkpoint.interval"
    )


def log_less(m: Measurement) -> Advice | None:
    """Logging: a longer interval saves what a log line takes."""
    share, interval = m.share("logging"), m.setup.log_interval
    if share < 0.05 or not 0 < interval < 50:
        return None
    return Advice(
        "log less often",
        f"logging takes {share:.0%} of an iteration, with a line every {interval} iterations",
        _of_run(m, m.mean * share * (1 - interval / 50)),
        ("default_hooks.logger.interval=50",),
    )


def look_at_hook(m: Measurement) -> Advice | None:
    """A hook that takes much in each iteration; at an interval of ten, a tenth remains."""
    if not m.steady_hooks:
        return None
    name, seconds = next(iter(m.steady_hooks.items()))
    share = seconds / m.mean if m.mean else 0.0
    if share < 0.05:
        return None
    return Advice(
        f"let {name} act less often",
        f"{name} takes {share:.0%} of an iteration",
        _of_run(m, seconds * 0.9),
    )


def look_at_module(m: Measurement) -> Advice | None:
    """A module of the user's own in whose code half of an iteration goes; faster, half of that."""
    own = [item for item in m.modules if not item.comes_with_torch]
    if not own or not m.mean:
        return None
    slowest = max(own, key=lambda item: item.seconds)
    share = slowest.seconds / m.mean
    if share < 0.5:
        return None
    return Advice(
        f"make {slowest.name} ({slowest.kind}) faster",
        f"its own forward code takes {min(share, 1.0):.0%} of an iteration; --trace shows what "
        "it calls",
        _of_run(m, min(slowest.seconds, m.mean) / 2),
    )


RULES: Sequence[Callable[[Measurement], Advice | None]] = (
    load_with_other_workers,
    make_loading_cheaper,
    keep_workers,
    pin_memory,
    fuse_optimizer,
    compile_model,
    use_mixed_precision,
    enlarge_batch,
    search_convolutions,
    validate_less,
    save_in_background,
    save_less,
    log_less,
    look_at_hook,
    look_at_module,
)
"""All rules."""


def _percent(share: float) -> str:
    return "under 1%" if share < 0.01 else f"{share:.0%}"


def _of_run(m: Measurement, seconds: float) -> float:
    """Seconds saved in each iteration, as a part of the time of the whole run."""
    return max(0.0, seconds) / m.per_iteration if m.per_iteration else 0.0


def _share(m: Measurement, occasional: Occasional | None) -> float:
    return _of_run(m, occasional.per_iteration) if occasional is not None else 0.0


def _less_often(
    m: Measurement, occasional: Occasional | None, limit: float, title: str, path: str
) -> Advice | None:
    share = _share(m, occasional)
    if occasional is None or share < limit:
        return None
    interval = max(1, occasional.interval)
    return Advice(
        title,
        f"{share:.0%} of the run: {occasional.seconds:.2g} s {occasional.rhythm}",
        share / 2,
        (f"{path}={2 * interval}",),
    )
