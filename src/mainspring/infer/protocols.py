"""What a model or data set may say of inputs and predictions: `predict` and `export` ask."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, runtime_checkable

import numpy as np

__all__ = ["DrawsPredictions", "ExportsForward", "NamesPredictions", "ReadsInputs"]


@runtime_checkable
class ReadsInputs(Protocol):
    """A model or data set that makes an item of an input."""

    def read_input(self, source: Any) -> Any:
        """An item as the model takes it, without a batch dimension and without a target.

        Args:
            source: The path of a file, a line of text, or what a line of JSON or CSV holds.

        Returns:
            A dict by the names of forward's arguments; a tuple by their order; or a single value,
            which is forward's first argument.
        """
        ...


@runtime_checkable
class NamesPredictions(Protocol):
    """A model that says what to write of a prediction."""

    def prediction_row(self, prediction: Any) -> Mapping[str, Any]:
        """The columns of a table: numbers, texts, tensors, or lists of these, by name.

        Args:
            prediction: What the model gave for one sample.
        """
        ...


@runtime_checkable
class DrawsPredictions(Protocol):
    """A model that draws its predictions."""

    def draw_prediction(self, visualizer: Any, image: np.ndarray[Any, Any], prediction: Any) -> Any:
        """Draw on the visualizer, which shows the image already, or return a picture.

        Args:
            visualizer: `mainspring.visualization.Visualizer`.
            image: The input, RGB of shape (H, W, 3), uint8.
            prediction: What the model gave for it.

        Returns:
            An RGB picture of shape (H, W, 3), uint8; ``None`` for what was drawn on the visualizer.
        """
        ...


@runtime_checkable
class ExportsForward(Protocol):
    """A model that says what `mainspring export` writes: with pre- and postprocessing."""

    def export_forward(self, *inputs: Any) -> Any:
        """Tensors of tensors, without Python that depends on their values.

        Args:
            *inputs: Tensors, batch first; their names in the program are those written here.

        Returns:
            A tensor, or a tuple or dict of tensors.
        """
        ...
