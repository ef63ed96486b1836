"""What a model is made of, where the training changes it: its buffers and its layers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer

__all__ = ["ModelStructure", "make_room"]


class ModelStructure:
    """The buffers and layers of a model, compared with those that it had at first.

    Args:
        model: Gives the model, without wrappers.
    """

    def __init__(self, model: Callable[[], nn.Module]) -> None:
        self._model = model
        self._buffers = _shapes_of_buffers(model())
        self._layers: dict[str, str] = {}

    def begin_pass(self) -> None:
        """Note the layers, which hooks may have put in place before the first pass."""
        self._layers = self._layers or _layers_of(self._model())

    def resized_buffers(self) -> list[str]:
        """Names of the buffers that the training has made, or given another shape."""
        now = _shapes_of_buffers(self._model())
        return [name for name, shape in now.items() if self._buffers.get(name) != shape]

    def exchanged_layers(self) -> dict[str, str]:
        """Layers that are of another class than at first, by path: the class."""
        now = _layers_of(self._model()) if self._layers else {}
        return {path: kind for path, kind in now.items() if self._layers.get(path) != kind}


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


def _shapes_of_buffers(model: nn.Module) -> dict[str, torch.Size | None]:
    """The shapes of the buffers by name; ``None`` for those that have been announced only."""
    return {
        f"{place}.{name}" if place else name: None if buffer is None else buffer.shape
        for place, module in model.named_modules()
        for name, buffer in module._buffers.items()
        # Lazy modules see to their shapes themselves.
        if not isinstance(buffer, UninitializedBuffer)
    }


def _layers_of(model: nn.Module) -> dict[str, str]:
    """The classes of the layers by path; lazy modules become others of themselves."""
    return {
        f"model.{name}": type(layer).__name__.removeprefix("Lazy")
        for name, layer in model.named_modules()
    }
