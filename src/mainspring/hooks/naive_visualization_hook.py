"""Shows what a model predicts on test images."""

from __future__ import annotations

import os
from typing import Any

from mainspring.errors import ConfigError
from mainspring.hooks.hook import DATA_BATCH, Hook, Predicted
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["NaiveVisualizationHook"]


@HOOKS.register_module()
class NaiveVisualizationHook(Hook):
    """Draws test images with their labels and predictions, at their original size.

    Batches are lists of dicts with ``inputs`` (an image tensor) and ``data_sample``, whose meta
    information says ``img_path``, ``ori_width`` and ``ori_height``; with padding also ``pad_shape``
    and ``scale`` (width, height), and ``img_norm_cfg`` when the image was normalised.

    Args:
        interval: Batches between two that are drawn.
        draw_gt: Whether to draw the labels.
        draw_pred: Whether to draw the predictions.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: The interval is not at least 1.

    Example:
        >>> custom_hooks = [NaiveVisualizationHook(interval=10, draw_gt=False)]
    """

    def __init__(
        self,
        interval: int = 1,
        draw_gt: bool = True,
        draw_pred: bool = True,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        if interval < 1:
            raise ConfigError(
                f"NaiveVisualizationHook: interval is {interval}", help="give 1 or more"
            )
        self._interval = interval
        self.draw_gt = draw_gt
        self.draw_pred = draw_pred

    def before_train(self, runner: Run) -> None:
        """Send the model's graph to the visualizer."""
        runner.visualizer.add_graph(runner.model, None)

    def after_test_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Draw the images of a batch."""
        if not self.every_n_inner_iters(batch_idx, self._interval):
            return
        batch: Any = data_batch or ()
        for item, output in zip(batch, outputs or (), strict=False):
            image = _original_image(item["inputs"], item["data_sample"])
            runner.visualizer.add_datasample(
                os.path.basename(item["data_sample"].img_path),
                image,
                output,
                draw_gt=self.draw_gt,
                draw_pred=self.draw_pred,
            )


def _original_image(inputs: Any, data_sample: Any) -> Any:
    """The image as it was before resizing and padding."""
    import cv2

    from mainspring.visualization.images import tensor2imgs

    norm = data_sample.get("img_norm_cfg", {"to_bgr": True})
    image = tensor2imgs(inputs[None] if inputs.ndim == 3 else inputs, **norm)[0]
    size = (data_sample.ori_width, data_sample.ori_height)
    if "pad_shape" in data_sample:
        width, height = data_sample.get("scale", size)
        image = image[:height, :width]
    return cv2.resize(image, size)
