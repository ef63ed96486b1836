"""Whether batches are copied to the device ahead of their use."""

from __future__ import annotations

from typing import Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.dataset.loader.device_prefetch import Copies, CudaCopies
from mainspring.model import BaseDataPreprocessor
from mainspring.model.adapt import LossReturningModel

__all__ = ["copies_for"]


def copies_for(model: nn.Module) -> Copies | None:
    """How training batches get to the device of a model, if they can be sent ahead.

    ``None`` unless it is a CUDA device, and for a model that moves its batches in a way of its own:
    by no `BaseDataPreprocessor`, or one whose `cast_data` is overridden.

    Args:
        model: The model, perhaps wrapped.
    """
    inner: Any = unwrap(model)
    preprocessor, device = getattr(inner, "data_preprocessor", None), None
    if isinstance(preprocessor, BaseDataPreprocessor):
        if type(preprocessor).cast_data is BaseDataPreprocessor.cast_data:
            device = preprocessor.device
    elif isinstance(inner, LossReturningModel):
        device = next((parameter.device for parameter in inner.parameters()), None)
    return CudaCopies(device) if device is not None and device.type == "cuda" else None
