"""Preprocessing on the device: move a batch to where the model is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from mainspring.registry import MODELS
from mainspring.structures.nested import to_device

__all__ = ["BaseDataPreprocessor"]


@MODELS.register_module()
class BaseDataPreprocessor(nn.Module):
    """Moves the tensors of a batch to the device of the model.

    The device is the one that the preprocessor, or a model around it, was last moved to; the CPU at
    first. Subclasses extend `forward`.

    Args:
        non_blocking: Whether copies from pinned memory overlap with computation.

    Example:
        >>> BaseDataPreprocessor()(dict(inputs=torch.zeros(2), name="a"))
        {'inputs': tensor([0., 0.]), 'name': 'a'}
    """

    def __init__(self, non_blocking: bool | None = False) -> None:
        super().__init__()
        self._non_blocking = bool(non_blocking)
        self._device = torch.device("cpu")

    @property
    def device(self) -> torch.device:
        """Where batches go."""
        return self._device

    def cast_data(self, data: Any) -> Any:
        """Move everything in nested data to the device.

        What `mainspring.structures.nested.to_device` follows.
        """
        if type(data) is torch.Tensor and data.device == self._device:
            return data
        return to_device(data, self._device, self._non_blocking, inside=self.cast_data)

    def forward(self, data: Any, training: bool = False) -> Any:
        """Preprocess a batch.

        Args:
            data: What the loader gives.
            training: Whether the batch is for training; decides about augmentation in subclasses.
        """
        return self.cast_data(data)

    def _apply(self, fn: Callable[[torch.Tensor], torch.Tensor], recurse: bool = True) -> Any:
        # Every way of moving a module (to, cuda, cpu, npu, a parent's or a wrapper's) ends here.
        applied = super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # - torch's
        self._device = fn(torch.empty(0, device=self._device)).device
        return applied
