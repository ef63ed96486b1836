"""Feature maps as images."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
import torch
import torch.nn.functional as F

from mainspring.errors import VisualizationError
from mainspring.names.packages import import_optional
from mainspring.visualization.arguments import check_type, tensor2ndarray
from mainspring.visualization.figure import img_from_canvas, new_figure, set_size

__all__ = ["convert_overlay_heatmap", "featmap_image"]

Image = np.ndarray[Any, Any]


def convert_overlay_heatmap(
    feat_map: Image | torch.Tensor, img: Image | None = None, alpha: float = 0.5
) -> Image:
    """A feature map in colours from blue (its minimum) to red (its maximum).

    Args:
        feat_map: Of shape (H, W), (1, H, W) or (3, H, W).
        img: RGB image of shape (H, W, 3), uint8, to lay it over.
        alpha: Weight of the feature map over the image.

    Returns:
        RGB image of shape (H, W, 3), uint8.

    Raises:
        VisualizationError: The feature map has another shape.
        ImportError: OpenCV is not installed.
    """
    cv2 = _opencv()
    if feat_map.ndim != 2 and not (feat_map.ndim == 3 and feat_map.shape[0] in (1, 3)):
        raise VisualizationError(
            f"the feature map has shape {tuple(feat_map.shape)}",
            help="give (H, W), (1, H, W) or (3, H, W)",
        )
    values = tensor2ndarray(feat_map)
    if values.ndim == 3:
        values = values.transpose(1, 2, 0)
    scaled = cv2.normalize(values, np.zeros(values.shape), 0, 255, cv2.NORM_MINMAX)
    heat = cv2.applyColorMap(np.asarray(scaled, dtype=np.uint8), cv2.COLORMAP_JET)
    colored: Image = cv2.cvtColor(heat, cv2.COLOR_BGR2RGB)
    return colored if img is None else cv2.addWeighted(img, 1 - alpha, colored, alpha, 0)


def featmap_image(
    featmap: torch.Tensor,
    overlaid_image: Image | None = None,
    channel_reduction: Literal["squeeze_mean", "select_max"] | None = "squeeze_mean",
    topk: int = 20,
    arrangement: tuple[int, int] = (4, 5),
    resize_shape: tuple[int, int] | None = None,
    alpha: float = 0.5,
) -> Image:
    """A feature map in colours.

    Args:
        featmap: Of shape (C, H, W).
        overlaid_image: RGB image, uint8, to lay it over; the feature map takes its size.
        channel_reduction: ``"squeeze_mean"`` averages the channels, ``"select_max"`` takes the
            one with the largest sum, ``None`` keeps them.
        topk: Without reduction: how many channels to show, those with the largest sums; 0 shows
            a feature map of 1 or 3 channels as one image.
        arrangement: Rows and columns of these channels.
        resize_shape: (height, width) to bring feature map and image to.
        alpha: Weight of the feature map over the image.

    Returns:
        RGB image of shape (H, W, 3), uint8.

    Raises:
        VisualizationError: Shape or arguments do not fit together.
        ImportError: matplotlib or OpenCV is not installed.
    """
    check_type("featmap", featmap, torch.Tensor)
    if featmap.ndim != 3:
        raise VisualizationError(
            f"the feature map has shape {tuple(featmap.shape)}", help="give one of shape (C, H, W)"
        )
    maps = featmap.detach().cpu()
    if overlaid_image is not None:
        if overlaid_image.ndim == 2:
            overlaid_image = np.repeat(overlaid_image[..., None], 3, axis=2)
        size = overlaid_image.shape[:2]
        if size != tuple(maps.shape[1:]):
            warnings.warn(
                f"the feature map has size {tuple(maps.shape[1:])}, the image {size}: the feature "
                "map is interpolated",
                stacklevel=3,
            )
            resize_shape = resize_shape or size
    if resize_shape is not None:
        size = list(resize_shape)
        maps = F.interpolate(maps[None], size, mode="bilinear", align_corners=False)[0]
        if overlaid_image is not None:
            overlaid_image = _opencv().resize(overlaid_image, resize_shape[::-1])
    if channel_reduction == "squeeze_mean":
        maps = maps.mean(dim=0)
    elif channel_reduction == "select_max":
        maps = maps[maps.sum(dim=(1, 2)).topk(1).indices]
    elif channel_reduction is not None:
        raise VisualizationError(
            f"channel_reduction is {channel_reduction!r}",
            help="'squeeze_mean', 'select_max' or None",
        )
    elif topk > 0:
        return _grid(maps, overlaid_image, topk, arrangement, alpha)
    elif maps.shape[0] not in (1, 3):
        raise VisualizationError(
            f"a feature map with {maps.shape[0]} channels cannot be shown as an image",
            help="choose a channel_reduction, or topk > 0",
        )
    return convert_overlay_heatmap(maps, overlaid_image, alpha)


def _grid(
    maps: torch.Tensor,
    overlaid_image: Image | None,
    topk: int,
    arrangement: tuple[int, int],
    alpha: float,
) -> Image:
    """The channels with the largest sums, side by side."""
    rows, columns = arrangement
    if rows * columns < topk:
        raise VisualizationError(
            f"arrangement {arrangement} has room for {rows * columns} of {topk} channels",
            help="enlarge arrangement, or give a smaller topk",
        )
    height, width = maps.shape[1:]
    figure = new_figure({"frameon": False})
    set_size(figure, width * columns, height * rows)
    for place, channel in enumerate(maps.sum(dim=(1, 2)).topk(min(topk, len(maps))).indices):
        axes = figure.add_subplot(rows, columns, place + 1)
        axes.axis("off")
        axes.text(2, 15, f"channel: {channel}", fontsize=10)
        axes.imshow(convert_overlay_heatmap(maps[channel], overlaid_image, alpha))
    return img_from_canvas(figure.canvas)


def _opencv() -> Any:
    return import_optional("cv2", "drawing a feature map", "mainspring[draw]")
