"""Buffers that a model makes, or makes larger, while it trains: memory banks, for example."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer

__all__ = ["make_room", "shapes_of_buffers"]


def shapes_of_buffers(model: nn.Module) -> dict[str, torch.Size | None]:
    """The shapes of the buffers by name; ``None`` for those that have been announced only.

    Args:
        model: The model, without wrappers.
    """
    return {
        f"{place}.{name}" if place else name: None if buffer is None else buffer.shape
        for place, module in model.named_modules()
        for name, buffer in module._buffers.items()
        # Lazy modules see to their shapes themselves.
        if not isinstance(buffer, UninitializedBuffer)
    }


def make_room(model: nn.Module, checkpoint: Mapping[str, Any]) -> None:
    """Give buffers the shapes that they had come to when a checkpoint was written.

    Args:
        model: The model, without wrappers.
        checkpoint: The checkpoint, which names them.
    """
    weights = checkpoint.get("state_dict") or {}
    device = next((one.device for one in model.parameters()), None)
    for path in (checkpoint.get("mainspring") or {}).get("resized", ()):
        place, _, name = path.rpartition(".")
        owner = dict(model.named_modules()).get(place)
        if owner is not None and path in weights:
            owner._buffers[name] = torch.empty_like(weights[path], device=device)
