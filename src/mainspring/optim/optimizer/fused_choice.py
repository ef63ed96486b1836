"""Which optimizers of a run compute their step in one kernel without being asked to."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Adam, AdamW, Optimizer

from mainspring.defaults import DEFAULTS
from mainspring.logging import IN_FILE, print_log
from mainspring.optim.optimizer.amp_optim_wrapper import AmpOptimWrapper
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.optim.optimizer.optim_wrapper_dict import OptimWrapperDict

__all__ = ["choose_fused", "prefer_fused"]


def prefer_fused(optim_wrapper: Any) -> None:
    """Choose the fused step for the optimizers of a run, where that is open, and say so.

    Args:
        optim_wrapper: One wrapper, or several by name.
    """
    if not DEFAULTS.fused:
        return
    several = isinstance(optim_wrapper, OptimWrapperDict)
    for wrapper in optim_wrapper.values() if several else [optim_wrapper]:
        # With a loss scaler, a fused optimizer decides on the device whether to step.
        scales = isinstance(wrapper, AmpOptimWrapper) and wrapper.loss_scaler.is_enabled()
        is_plain = isinstance(wrapper, OptimWrapper) and not scales
        if is_plain and choose_fused(wrapper.optimizer):
            print_log(
                f"{type(wrapper.optimizer).__name__} steps in one kernel (fused=True); with "
                "optim_wrapper.optimizer.fused=False it is torch's default, to the last bit",
                logger="current",
                extra=IN_FILE,
            )


def choose_fused(optimizer: Optimizer) -> bool:
    """Let an Adam or AdamW compute its step in one kernel, if nothing else was asked for.

    On a CPU that takes a third to a tenth of the time. It sums in another order, so that the last
    bit may differ from torch's default.

    Args:
        optimizer: The optimizer, before its first step.

    Returns:
        Whether it was changed.
    """
    if type(optimizer) not in (Adam, AdamW) or optimizer.state:
        return False
    for group in optimizer.param_groups:
        open_choice = group.get("fused") is None and group.get("foreach") is None
        if not open_choice or group.get("capturable") or group.get("differentiable"):
            return False
        if isinstance(group["lr"], Tensor) or not all(map(_is_ordinary, group["params"])):
            return False
    for settings in (optimizer.defaults, *optimizer.param_groups):
        settings["fused"] = True
    optimizer._step_supports_amp_scaling = True  # type: ignore[attr-defined]  # - as torch does
    return True


def _is_ordinary(parameter: Tensor) -> bool:
    return (
        type(parameter) in (Tensor, torch.nn.Parameter)
        and parameter.layout == torch.strided
        and parameter.is_floating_point()
        and parameter.device.type in ("cpu", "cuda")
    )
