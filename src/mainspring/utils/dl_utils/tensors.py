"""Questions and conversions that MMEngine has for versions of torch."""

from __future__ import annotations

import importlib.util

import torch
from torch import Tensor

__all__ = ["is_jit_tracing", "mmcv_full_available", "torch_meshgrid"]


def torch_meshgrid(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Coordinate grids of one-dimensional tensors, indexed by matrix convention (``ij``)."""
    return tuple(torch.meshgrid(*tensors, indexing="ij"))


def is_jit_tracing() -> bool:
    """Whether the code runs inside `torch.jit.trace`."""
    tracing: bool = torch._C._is_tracing()
    return tracing


def mmcv_full_available() -> bool:
    """Whether mmcv with its compiled operators is installed."""
    try:
        return importlib.util.find_spec("mmcv._ext") is not None
    except ImportError:
        return False
