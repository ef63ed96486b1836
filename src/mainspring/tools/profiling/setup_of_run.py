"""Read off a run what it is made of."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.any_loader import length_of
from mainspring.device.multi_processing import usable_cores
from mainspring.hooks import LoggerHook
from mainspring.hooks.run import Run
from mainspring.optim import OptimWrapperDict
from mainspring.tools.profiling.loading import handover_seconds, loading_seconds
from mainspring.tools.profiling.measurement import Setup

__all__ = ["batch_size_of", "device_of", "precision_of", "setup_of_run"]

_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


def setup_of_run(runner: Run, checkpoint_hook: Any, first_wait: float, batch: Any = None) -> Setup:
    """What a run is made of.

    Args:
        runner: The runner, whose training is prepared.
        checkpoint_hook: Its checkpoint hook, or ``None``.
        first_wait: Seconds that the first batch took.
        batch: A batch, as the loader gave it; ``None`` measures nothing of how data come.
    """
    loader = runner.train_loop.dataloader
    optimizer: Any = None
    if not isinstance(runner.optim_wrapper, OptimWrapperDict | Mapping):
        optimizer = getattr(runner.optim_wrapper, "optimizer", None)
    signature = inspect.signature(type(optimizer).__init__).parameters
    defaults = getattr(optimizer, "defaults", {})
    precision, autocast = precision_of(runner)
    workers = getattr(loader, "num_workers", 0) or 0
    loggers = [hook for hook in runner.hooks if isinstance(hook, LoggerHook)]
    return Setup(
        batch_size=batch_size_of(loader),
        num_workers=workers,
        persistent_workers=bool(getattr(loader, "persistent_workers", False)),
        pin_memory=bool(getattr(loader, "pin_memory", False)),
        cores=usable_cores(),
        epoch_length=length_of(loader),
        first_wait=first_wait,
        handover=handover_seconds(batch),
        # Without workers, the training has shown it.
        loading=loading_seconds(loader) if batch is not None and workers else None,
        optimizer="" if optimizer is None else type(optimizer).__name__,
        fused=bool(defaults.get("fused")),
        can_be_fused="fused" in signature,
        precision=str(precision).removeprefix("torch."),
        autocast=autocast,
        compiled=bool(runner.cfg.get("compile")),
        convolutions=any(isinstance(module, _CONVOLUTIONS) for module in runner.model.modules()),
        cudnn_benchmark=torch.backends.cudnn.benchmark,
        log_interval=loggers[0].interval if loggers else 0,
        async_save=bool(getattr(checkpoint_hook, "async_save", False)),
    )


def device_of(runner: Run) -> str:
    """Kind of the device of the model: ``cpu``, ``cuda`` or another."""
    parameter = next(unwrap(runner.model).parameters(), None)
    return "cpu" if parameter is None else parameter.device.type


def batch_size_of(loader: Any) -> int | None:
    """Samples of a batch; ``None`` for a loader that does not say."""
    sizes = (
        getattr(it, "batch_size", None) for it in (loader, getattr(loader, "batch_sampler", 0))
    )
    return next((size for size in sizes if isinstance(size, int)), None)


def precision_of(runner: Run) -> tuple[torch.dtype, bool]:
    """Type in which the forward pass computes its products, and whether autocast chooses it."""
    cast: Any = getattr(runner.optim_wrapper, "cast_dtype", None)
    if cast in (torch.float16, torch.bfloat16):
        return cast, True
    parameters: Iterable[nn.Parameter] = unwrap(runner.model).parameters()
    types = [parameter.dtype for parameter in parameters if parameter.is_floating_point()]
    return (max(set(types), key=types.count) if types else torch.float32), False
