"""Read off a run what it is made of."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.hooks import CheckpointHook, LoggerHook
from mainspring.optim import OptimWrapperDict
from mainspring.profiling.loading import handover_seconds, loading_seconds
from mainspring.profiling.measurement import Setup

__all__ = [
    "batch_size_of",
    "device_of",
    "epoch_length_of",
    "precision_of",
    "setup_of_run",
    "usable_cores",
]


def setup_of_run(runner: Any, checkpoint_hook: Any, first_wait: float, batch: Any = None) -> Setup:
    """What a run is made of.

    Args:
        runner: The runner, whose training is prepared.
        checkpoint_hook: Its checkpoint hook, or ``None``.
        first_wait: Seconds that the first batch took.
        batch: A batch, as the loader gave it; ``None`` measures nothing of how data come.
    """
    loader = runner.train_loop.dataloader
    optimizer = _optimizer_of(runner.optim_wrapper)
    precision, autocast = _precision(runner)
    loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
    return Setup(
        batch_size=batch_size_of(loader),
        num_workers=getattr(loader, "num_workers", 0) or 0,
        persistent_workers=bool(getattr(loader, "persistent_workers", False)),
        pin_memory=bool(getattr(loader, "pin_memory", False)),
        cores=usable_cores(),
        epoch_length=epoch_length_of(loader),
        first_wait=first_wait,
        handover=handover_seconds(batch),
        loading=_loading(loader) if batch is not None else None,
        optimizer=type(optimizer).__name__ if optimizer is not None else "",
        fused=optimizer is not None and bool(optimizer.defaults.get("fused")),
        can_be_fused=optimizer is not None
        and "fused" in inspect.signature(type(optimizer).__init__).parameters,
        precision=str(precision).removeprefix("torch."),
        autocast=autocast,
        compiled=bool(runner.cfg.get("compile")),
        convolutions=any(_is_convolution(module) for module in runner.model.modules()),
        cudnn_benchmark=torch.backends.cudnn.benchmark,
        log_interval=loggers[0].interval if loggers else 0,
        async_save=_async_save(checkpoint_hook),
    )


def _loading(loader: Any) -> float | None:
    """Seconds of loading a batch in this process; without workers, the training has shown that."""
    return loading_seconds(loader) if getattr(loader, "num_workers", 0) else None


def device_of(runner: Any) -> str:
    """Kind of the device of the model: ``cpu``, ``cuda`` or another."""
    parameter = next(unwrap(runner.model).parameters(), None)
    return "cpu" if parameter is None else parameter.device.type


def batch_size_of(loader: Any) -> int | None:
    """Samples of a batch; ``None`` for a loader that does not say."""
    size = getattr(loader, "batch_size", None)
    if size is None:
        size = getattr(getattr(loader, "batch_sampler", None), "batch_size", None)
    return size if isinstance(size, int) else None


def epoch_length_of(loader: Any) -> int | None:
    """Batches of a pass; ``None`` for a loader without length."""
    try:
        return len(loader)
    except TypeError:
        return None


def usable_cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def precision_of(runner: Any) -> torch.dtype:
    """Type in which the forward pass computes its products."""
    return _precision(runner)[0]


def _precision(runner: Any) -> tuple[torch.dtype, bool]:
    cast: Any = getattr(runner.optim_wrapper, "cast_dtype", None)
    if cast in (torch.float16, torch.bfloat16):
        return cast, True
    parameters: Iterable[nn.Parameter] = unwrap(runner.model).parameters()
    types = [parameter.dtype for parameter in parameters if parameter.is_floating_point()]
    return (max(set(types), key=types.count) if types else torch.float32), False


def _optimizer_of(optim_wrapper: Any) -> torch.optim.Optimizer | None:
    if isinstance(optim_wrapper, OptimWrapperDict | Mapping):
        return None
    optimizer = getattr(optim_wrapper, "optimizer", None)
    return optimizer if isinstance(optimizer, torch.optim.Optimizer) else None


def _is_convolution(module: nn.Module) -> bool:
    return isinstance(module, nn.Conv1d | nn.Conv2d | nn.Conv3d)


def _async_save(hook: Any) -> bool | None:
    if "async_save" not in inspect.signature(CheckpointHook.__init__).parameters:
        return None
    return bool(getattr(hook, "async_save", False))
