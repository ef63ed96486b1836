"""MMEngine's path of the helpers of drawing; each lives in the module of its concept."""

from mainspring.visualization.arguments import (
    check_length,
    check_type,
    check_type_and_length,
    tensor2ndarray,
    value2list,
)
from mainspring.visualization.colors import color_str2rgb, color_val_matplotlib
from mainspring.visualization.featmap import convert_overlay_heatmap
from mainspring.visualization.figure import img_from_canvas, wait_continue

__all__ = [
    "check_length",
    "check_type",
    "check_type_and_length",
    "color_str2rgb",
    "color_val_matplotlib",
    "convert_overlay_heatmap",
    "img_from_canvas",
    "tensor2ndarray",
    "value2list",
    "wait_continue",
]
