"""Predictions drawn on their images, where the model does not say how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mainspring.report.samples import Display, draw_mask, pixel_classes
from mainspring.structures import BaseDataElement
from mainspring.visualization import Visualizer

__all__ = ["draw"]


def draw(
    visualizer: Any,
    image: np.ndarray[Any, Any],
    prediction: Any,
    fields: Mapping[str, Any],
    classes: Sequence[str],
) -> np.ndarray[Any, Any]:
    """The image with what is predicted.

    A visualizer with an `add_datasample` of its own is asked. Else boxes, masks, and the label or
    score of the whole image are drawn, where the prediction has such.

    Args:
        visualizer: Shows the image already.
        image: RGB of shape (H, W, 3), uint8.
        prediction: What the model gave.
        fields: The columns of its row.
        classes: Names of the classes.
    """
    if type(visualizer).add_datasample is not Visualizer.add_datasample:
        sample = prediction.cpu() if isinstance(prediction, BaseDataElement) else prediction
        visualizer.add_datasample("prediction", image, sample, draw_gt=False)
        drawn: np.ndarray[Any, Any] = visualizer.get_image()
        return drawn
    found = _flat(fields)
    maps = (pixel_classes(value, image.shape[:2]) for value in found.values())
    of_pixels = next((found for found in maps if found is not None), None)
    if of_pixels is not None:
        draw_mask(visualizer, of_pixels.numpy())
    boxes = Display(list(classes)).boxes(found)
    if boxes is not None and len(boxes[0]):
        corners, colors, texts = boxes
        visualizer.draw_bboxes(corners, edge_colors=colors)
        visualizer.draw_texts(texts, corners[:, :2], colors="w", bboxes={"facecolor": "black"})
    title, score = fields.get("label", fields.get("pred_label")), fields.get("score")
    if isinstance(title, str) and title:  # of the whole image
        title = title if score is None else f"{title} {float(score):.2f}"
        background = {"facecolor": "black", "alpha": 0.7, "pad": 2, "edgecolor": "none"}
        visualizer.draw_texts(title, np.array([1, 1]), colors="w", bboxes=background)
    result: np.ndarray[Any, Any] = visualizer.get_image()
    return result


def _flat(fields: Mapping[str, Any]) -> dict[str, np.ndarray[Any, Any]]:
    """The arrays in the fields, and in data elements and dicts in them, by name."""
    found: dict[str, np.ndarray[Any, Any]] = {}
    for name, value in fields.items():
        if isinstance(value, BaseDataElement | Mapping):
            found.update(_flat(dict(value.items())))
        elif isinstance(value, torch.Tensor | np.ndarray):
            found[name] = torch.as_tensor(value).detach().cpu().numpy()
    return found
