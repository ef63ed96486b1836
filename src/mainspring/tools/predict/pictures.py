"""Predictions drawn on their images, where the model does not say how."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from mainspring.report.samples import pixel_classes
from mainspring.structures import BaseDataElement
from mainspring.visualization import Visualizer

__all__ = ["draw"]

_PALETTE = [
    (230, 25, 75), (60, 180, 75), (255, 225, 25), (0, 130, 200), (245, 130, 48),
    (145, 30, 180), (70, 240, 240), (240, 50, 230), (210, 245, 60), (250, 190, 212),
]  # fmt: skip
"""Sasha Trubetskoy's twenty distinct colours, the first ten."""
_SCORE = 0.3
"""Boxes with a lower score are not drawn."""


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
        for number in torch.unique(of_pixels).tolist():
            if number:  # class 0 is the background
                color = _PALETTE[number % len(_PALETTE)]
                mask = (of_pixels == number).numpy()
                visualizer.draw_binary_masks(mask, colors=color, alphas=0.5)
    boxes = found.get("bboxes", found.get("boxes"))
    if boxes is not None and boxes.ndim == 2 and boxes.shape[1] == 4:
        _draw_boxes(visualizer, boxes, found.get("labels"), found.get("scores"), classes)
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


def _draw_boxes(
    visualizer: Any, boxes: Any, labels: Any, scores: Any, classes: Sequence[str]
) -> None:
    for number, box in enumerate(boxes):
        score = None if scores is None else float(scores[number])
        if score is not None and score < _SCORE:
            continue
        label = 0 if labels is None else int(labels[number])
        color = _PALETTE[label % len(_PALETTE)]
        name = classes[label] if label < len(classes) else "" if labels is None else str(label)
        visualizer.draw_bboxes(box, edge_colors=color)
        text = f"{name} {score:.2f}".strip() if score is not None else name
        if text:
            visualizer.draw_texts(text, box[:2], colors="w", bboxes={"facecolor": "black"})
