"""What a model and its optimizers are made of, where the training changes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn
from torch.nn.parameter import UninitializedBuffer

__all__ = ["ModelStructure", "make_room"]


class ModelStructure:
    """Buffers, parameters, layers and optimizers, compared with those that there were at first.

    Args:
        model: Gives the model, without wrappers.
        optimizers: Gives the optimizers by name.
    """

    def __init__(
        self, model: Callable[[], nn.Module], optimizers: Callable[[], Mapping[str, Any]]
    ) -> None:
        self._model, self._optimizers = model, optimizers
        self._buffers = _shapes_of_buffers(model())
        self._kinds: dict[str, str] = {}

    def begin_pass(self) -> None:
        """Note what there is, which hooks may have put in place before the first pass."""
        self._kinds = self._kinds or self._kinds_now()

    def resized_buffers(self) -> list[str]:
        """Names of the buffers that the training has made, or given another shape."""
        now = _shapes_of_buffers(self._model())
        return [name for name, shape in now.items() if self._buffers.get(name) != shape]

    def exchanged(self) -> dict[str, str]:
        """What is new, or of another class than at first, by path: the class."""
        return {
            path: kind
            for path, kind in (self._kinds_now() if self._kinds else {}).items()
            if self._kinds.get(path) != kind and (path.rpartition(".")[0] or path) in self._kinds
        }

    def _kinds_now(self) -> dict[str, str]:
        """Classes of what a resumed run makes as it is described; lazy parts become others."""
        model = self._model()
        kinds = {
            f"model.{name}".rstrip("."): type(one)
            .__name__.removeprefix("Lazy")
            .removeprefix("Uninitialized")
            for name, one in (*model.named_parameters(), *model.named_modules())
        }
        optimizers = self._optimizers().items()
        return kinds | {f"optimizer {name}".strip(): type(one).__name__ for name, one in optimizers}


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
