"""What a person is told when a training begins: about ten lines, rather than all of the log."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.parameter import UninitializedParameter

from mainspring.checkpoint.apply import unwrap
from mainspring.columns import as_number, sparkline
from mainspring.dataset.any_loader import length_of
from mainspring.hooks.run_table import console_width
from mainspring.model import Supervised
from mainspring.optim import AmpOptimWrapper
from mainspring.optim.optimizer.optim_wrapper_dict import by_optimizer
from mainspring.optim.optimizer.two_modes import has_two_modes
from mainspring.optim.scheduler.preview import planned_values
from mainspring.output import near_path
from mainspring.version import __version__

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["opening_lines", "planned_rates"]

_LONGEST_PREVIEW = 50_000
"""Iterations up to which schedules are stepped through: beyond, that takes a tenth of a second."""

_CURVE = 24


def opening_lines(runner: Runner, rates: Mapping[str, list[float]]) -> list[str]:
    """What a training is about to do.

    Args:
        runner: The run, ready to train.
        rates: What `planned_rates` gave.
    """
    rows = [
        ("device", _device(runner)),
        ("model", _model(unwrap(runner.model))),
        ("train", _data(runner.train_dataloader, runner.world_size)),
        *_validation(runner),
        ("length", _length(runner)),
        *(("optimizer", text) for text in _optimizers(runner, rates)),
        *([("start", runner.begun_from)] if runner.begun_from else []),
        ("seed", f"{runner.seed}{', deterministic' if runner.deterministic else ''}"),
        ("output", near_path(runner.work_dir)),
        ("log", f"{runner.timestamp}/{runner.timestamp}.log in it"),
    ]
    lines = [
        line
        for name, text in rows
        for line in textwrap.wrap(
            text,
            max(console_width(), 40),
            initial_indent=f"  {name:<11}",
            subsequent_indent=" " * 13,
            break_long_words=False,
            break_on_hyphens=False,
        )
    ]
    return [f"mainspring {__version__}", *lines, ""]


def planned_rates(runner: Runner) -> dict[str, list[float]]:
    """The learning rates of a run by name, as a preview of few points.

    Args:
        runner: The run, before it was resumed.
    """
    schedulers = runner.param_schedulers
    if not 0 < runner.max_iters <= _LONGEST_PREVIEW or not schedulers:
        return {}
    try:
        planned = planned_values(
            runner.optim_wrapper,
            schedulers,
            max_iters=runner.max_iters,
            epoch_length=length_of(runner.train_dataloader),
            points=_CURVE,
        )
    except Exception:  # noqa: BLE001 - a scheduler of a user's own; what is shown is no part of the run
        return {}
    return {name: values for name, values in planned.values.items() if name.endswith("lr")}


def _device(runner: Runner) -> str:
    device = next((p.device for p in runner.model.parameters()), torch.device("cpu"))
    if device.type == "cuda":
        known = torch.cuda.get_device_properties(device)
        said = f"{known.name}, {known.total_memory / 2**30:.0f} GiB"
    elif device.type == "cpu":
        said = f"cpu, {_several(torch.get_num_threads(), 'thread')}"
    else:
        said = str(device)
    return said if runner.world_size == 1 else f"{said}, world size: {runner.world_size}"


def _model(model: torch.nn.Module) -> str:
    parameters = [p for p in model.parameters() if not isinstance(p, UninitializedParameter)]
    trained = sum(p.numel() for p in parameters if p.requires_grad)
    frozen = sum(p.numel() for p in parameters if not p.requires_grad)
    name = type(model.net if isinstance(model, Supervised) else model).__name__
    more = f", {frozen:,} frozen" if frozen else ""
    if len(parameters) < sum(1 for _ in model.parameters()):
        more += ", and such as get their shapes from the first batch"
    return f"{name}, {trained:,} parameters{' trained' if frozen else ''}{more}"


def _data(loader: Any, world_size: int) -> str:
    dataset = getattr(loader, "dataset", None)
    size, batches = length_of(dataset), length_of(loader)
    batch = getattr(loader, "batch_size", None) or getattr(
        getattr(loader, "batch_sampler", None), "batch_size", None
    )
    name = type(dataset).__name__ if dataset is not None else type(loader).__name__
    items = f"{size:,} items of {name}" if size is not None else name
    tokens = getattr(getattr(loader, "batch_sampler", None), "max_tokens", None)
    batch = f"up to {tokens:,} tokens" if tokens and batch is None else batch
    if batches is None:
        return f"{items}, a stream" + (f" in batches of {batch}" if batch else "")
    said = f"{items} in {_several(batches, 'batch', 'batches')}" + (f" of {batch}" if batch else "")
    return f"{said} on each of {world_size} processes" if world_size > 1 else said


def _validation(runner: Runner) -> list[tuple[str, str]]:
    loop = runner.val_loop
    if loop is None:
        return []
    unit = "epoch" if getattr(runner.train_loop, "by_epoch", True) else "iteration"
    interval = getattr(runner.train_loop, "val_interval", None)
    often = f", each {unit}" if interval == 1 else f", every {interval} {unit}s" if interval else ""
    sets = getattr(loop, "sets", [loop])
    return [("val", _data(each.dataloader, runner.world_size) + often) for each in sets]


def _length(runner: Runner) -> str:
    iterations = f"{runner.max_iters:,} iterations" if runner.max_iters else ""
    if not getattr(runner.train_loop, "by_epoch", True):
        return iterations
    return ", ".join(filter(None, [_several(runner.max_epochs, "epoch"), iterations]))


def _optimizers(runner: Runner, rates: Mapping[str, list[float]]) -> list[str]:
    lines = []
    for name, wrapper in by_optimizer(runner.optim_wrapper).items():
        optimizer = getattr(wrapper, "optimizer", wrapper)
        prefix = f"{name}." if name else ""
        curve = rates.get(f"{prefix}lr")
        rate = _rate(optimizer.param_groups[0]["lr"])
        if curve and min(curve) != max(curve):
            rate = f"{_rate(curve[0])} {_drawn(curve)} {_rate(curve[-1])}"
        text = f"{f'{name}: ' if name else ''}{type(optimizer).__name__}, lr {rate}"
        counts = getattr(wrapper, "_accumulative_counts", 1)
        schedule = getattr(wrapper, "accumulation_schedule", None)
        if schedule is not None:
            text += f", steps {_changes(schedule.pairs, runner)}"
        elif counts > 1:
            text += f", steps every {counts} batches"
        if isinstance(wrapper, AmpOptimWrapper):
            text += f", in {str(wrapper.dtype).removeprefix('torch.')}"
        if has_two_modes(optimizer):
            text += ", validates averaged weights"
        lines.append(text)
    return lines


def _changes(pairs: Sequence[tuple[int, int]], runner: Runner) -> str:
    """Numbers and from where on each holds: ``every batch, every 2 from epoch 5 on``."""
    unit = "epoch" if getattr(runner.train_loop, "by_epoch", True) else "iteration"
    first = "every batch" if pairs[0][1] == 1 else f"every {pairs[0][1]} batches"
    return ", ".join(
        [first, *(f"every {size} from {unit} {begin} on" for begin, size in pairs[1:])]
    )


def _drawn(curve: list[float]) -> str:
    """A sparkline, or a word where the output has no such characters."""
    line = sparkline(curve, _CURVE)
    try:
        line.encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return "to"
    return line


def _rate(value: float) -> str:
    return as_number(value) if value >= 0.1 else f"{value:.2g}"


def _several(count: int, one: str, many: str | None = None) -> str:
    return f"{count:,} {one if count == 1 else many or f'{one}s'}"
