"""Conversions of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["is_jit_tracing", "tensor2imgs", "torch_meshgrid"]


class ImageTensorError(ValueError, AssertionError):
    """A tensor, or its normalisation, does not describe images."""


def tensor2imgs(
    tensor: Tensor,
    mean: tuple[float, ...] | None = None,
    std: tuple[float, ...] | None = None,
    to_bgr: bool = True,
) -> list[np.ndarray[Any, Any]]:
    """Undo the normalisation of a batch of images.

    Args:
        tensor: Images of shape (N, C, H, W), where C is 3 (in the order RGB) or 1.
        mean: Mean of each channel, 0 by default.
        std: Standard deviation of each channel, 1 by default.
        to_bgr: Whether to return the channels in the order BGR; must be false for one channel.

    Returns:
        N arrays of shape (H, W, C) in the tensor's type.
    """
    if tensor.ndim != 4 or tensor.size(1) not in (1, 3):
        shape = tuple(tensor.shape)
        raise ImageTensorError(f"images have the shape (N, 3 or 1, H, W), but this is {shape}")
    channels = tensor.size(1)
    mean = (0.0,) * channels if mean is None else mean
    std = (1.0,) * channels if std is None else std
    if not len(mean) == len(std) == channels:
        raise ImageTensorError(f"mean {mean} and std {std} must have {channels} values each")
    if channels == 1 and to_bgr:
        raise ImageTensorError("images of one channel cannot become BGR: pass to_bgr=False")
    images = tensor.permute(0, 2, 3, 1) * tensor.new_tensor(std) + tensor.new_tensor(mean)
    if to_bgr:
        images = images.flip(-1)
    return [np.ascontiguousarray(image) for image in images.detach().cpu().numpy()]


def torch_meshgrid(*tensors: Tensor) -> tuple[Tensor, ...]:
    """Coordinate grids of one-dimensional tensors, indexed by matrix convention (``ij``)."""
    return tuple(torch.meshgrid(*tensors, indexing="ij"))


def is_jit_tracing() -> bool:
    """Whether the code runs inside `torch.jit.trace`."""
    tracing: bool = torch._C._is_tracing()
    return tracing
