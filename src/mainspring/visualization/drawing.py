"""Drawing on an image with matplotlib, which is loaded when the first image is set."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, ParamSpec, Self, TypeVar, cast

import numpy as np
import torch

from mainspring.dist import is_main_process, master_only
from mainspring.errors import VisualizationError
from mainspring.visualization.arguments import as_array, check_type, per_item, tensor2ndarray
from mainspring.visualization.colors import check_rgb, color_str2rgb, color_val_matplotlib
from mainspring.visualization.figure import img_from_canvas, new_figure, set_size

__all__ = ["Drawing"]

Image = np.ndarray[Any, Any]
Points = np.ndarray[Any, Any] | torch.Tensor
Color = str | tuple[int, int, int]
Colors = Color | list[Color]

P = ParamSpec("P")
R = TypeVar("R")


def _on_rank_0(method: Callable[P, R]) -> Callable[P, R]:
    """Let a drawing method do nothing on other ranks; calls can be chained on all of them."""

    @functools.wraps(method)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> R:
        if is_main_process():
            return method(*args, **kwargs)
        visualizer: Any = args[0]
        return cast("R", visualizer)

    return drawn


class Drawing:
    """An image and what is drawn on it; see `Visualizer`.

    Coordinates are pixels, (x, y) from the upper left corner. Colours are names of matplotlib or
    RGB tuples from 0 to 255. Drawing happens on rank 0 only.

    Args:
        fig_save_cfg: Arguments of the matplotlib figure that is drawn on.
    """

    width: int
    height: int

    def __init__(self, fig_save_cfg: Mapping[str, Any]) -> None:
        self.fig_save_cfg = dict(fig_save_cfg)
        self._image: Image | None = None
        self._default_font_size = 10.0

    @cached_property
    def fig_save(self) -> Any:
        """The matplotlib figure that is drawn on."""
        return new_figure(self.fig_save_cfg)

    @cached_property
    def ax_save(self) -> Any:
        """The axes that are drawn on, for what matplotlib can and the methods here cannot."""
        axes = self.fig_save.add_subplot()
        axes.axis(False)
        return axes

    @property
    def fig_save_canvas(self) -> Any:
        """The canvas of the figure."""
        return self.fig_save.canvas

    @property
    def dpi(self) -> float:
        """Pixels per inch of the figure."""
        return float(self.fig_save.get_dpi())

    @master_only
    def set_image(self, image: Image) -> None:
        """Begin a new drawing.

        Args:
            image: RGB of shape (H, W, 3) or grey of shape (H, W), values 0 to 255.

        Raises:
            VisualizationError: It is ``None``.
            ImportError: matplotlib is not installed.
        """
        if image is None:
            raise VisualizationError("image is None", help="give an array of shape (H, W, 3)")
        self._image = image = image.astype(np.uint8)
        self.height, self.width = image.shape[:2]
        self._default_font_size = max(np.sqrt(self.height * self.width) // 90, 10)
        set_size(self.fig_save, self.width, self.height)
        self.ax_save.cla()
        self.ax_save.axis(False)
        self._show_pixels(image, "none")

    def _show_pixels(self, image: Image, interpolation: str) -> None:
        self.ax_save.imshow(
            np.repeat(image[..., None], 3, axis=2) if image.ndim == 2 else image,
            extent=(0, self.width, self.height, 0),
            interpolation=interpolation,
        )

    @master_only
    def get_image(self) -> Image:
        """The image with all that was drawn on it, RGB of shape (H, W, 3), uint8.

        Raises:
            VisualizationError: No image was set.
        """
        return self._drawn()

    def _drawn(self) -> Image:
        if self._image is None:
            raise VisualizationError("there is no image to draw on", help="call set_image first")
        return img_from_canvas(self.fig_save_canvas)

    def _is_posion_valid(self, position: Image) -> bool:
        """Whether all (x, y) lie in the image; subclasses know it by this name."""
        limits = np.array([self.width, self.height])
        return bool(((position >= 0) & (position < limits)).all())

    def _warn_if_outside(self, what: str, *positions: Image) -> None:
        if not all(self._is_posion_valid(position) for position in positions):
            warnings.warn(
                f"the {what} is out of bounds: it may not be seen in the image",
                UserWarning,
                stacklevel=4,
            )

    @_on_rank_0
    def draw_points(
        self,
        positions: Points,
        colors: Colors = "g",
        marker: str | None = None,
        sizes: Points | Sequence[float] | None = None,
    ) -> Self:
        """Draw points.

        Args:
            positions: Of shape (N, 2) or (2,).
            colors: One, or one for each.
            marker: A marker of matplotlib.
            sizes: Areas in square points, of shape (N,).
        """
        places = _rows("positions", positions, 2)
        self.ax_save.scatter(
            places[:, 0],
            places[:, 1],
            color=color_val_matplotlib(colors),
            s=tensor2ndarray(sizes),
            marker=marker,
        )
        return self

    @_on_rank_0
    def draw_texts(
        self,
        texts: str | list[str],
        positions: Points,
        font_sizes: float | list[float] | None = None,
        colors: Colors = "g",
        vertical_alignments: str | list[str] = "top",
        horizontal_alignments: str | list[str] = "left",
        font_families: str | list[str] = "sans-serif",
        bboxes: dict[str, Any] | list[dict[str, Any]] | None = None,
        font_properties: Any = None,
    ) -> Self:
        """Draw texts. Each argument but the first two is one for all, or a list.

        Args:
            texts: The texts.
            positions: Of shape (N, 2), or (2,) for a single text.
            font_sizes: In points; by default they grow with the image.
            colors: Colours of the letters.
            vertical_alignments: ``"top"``, ``"center"``, ``"bottom"`` or ``"baseline"``.
            horizontal_alignments: ``"left"``, ``"center"`` or ``"right"``.
            font_families: Such as ``"serif"`` or ``"monospace"``.
            bboxes: Boxes around the texts: arguments of matplotlib's ``FancyBboxPatch``.
            font_properties: ``matplotlib.font_manager.FontProperties``, such as of a font file.
        """
        check_type("texts", texts, (str, list))
        texts = [texts] if isinstance(texts, str) else texts
        count = len(texts)
        places = _rows("positions", positions, 2)
        if len(places) != count:
            raise VisualizationError(f"{len(places)} positions are given for {count} texts")
        self._warn_if_outside("text", places)
        sizes = self._default_font_size if font_sizes is None else font_sizes
        columns = {
            "size": per_item("font_sizes", sizes, (int, float), count),
            "color": color_val_matplotlib(per_item("colors", colors, (str, tuple), count)),
            "va": per_item("vertical_alignments", vertical_alignments, str, count),
            "ha": per_item("horizontal_alignments", horizontal_alignments, str, count),
            "family": per_item("font_families", font_families, str, count),
        }
        if bboxes is not None:
            columns["bbox"] = per_item("bboxes", bboxes, dict, count)
        if font_properties is not None:
            from matplotlib.font_manager import FontProperties

            columns["fontproperties"] = per_item(
                "font_properties", font_properties, FontProperties, count
            )
        for index, (x, y) in enumerate(places.tolist()):
            settings = {name: values[index] for name, values in columns.items()}
            self.ax_save.text(x, y, texts[index], **settings)
        return self

    @_on_rank_0
    def draw_lines(
        self,
        x_datas: Points,
        y_datas: Points,
        colors: Colors = "g",
        line_styles: str | list[str] = "-",
        line_widths: float | list[float] = 2,
    ) -> Self:
        """Draw line segments. Each argument but the first two is one for all, or a list.

        Args:
            x_datas: The x of both ends, of shape (N, 2) or (2,).
            y_datas: The y of both ends, of the same shape.
            colors: Colours.
            line_styles: Line styles of matplotlib.
            line_widths: In points.
        """
        from matplotlib.collections import LineCollection

        x, y = _rows("x_datas", x_datas, 2), _rows("y_datas", y_datas, 2)
        if x.shape != y.shape:
            raise VisualizationError(f"x_datas has shape {x.shape}, y_datas {y.shape}")
        lines = np.stack([x, y], axis=-1)
        self._warn_if_outside("line", lines)
        self.ax_save.add_collection(
            LineCollection(
                lines.tolist(),
                colors=color_val_matplotlib(colors),
                linestyles=line_styles,
                linewidths=line_widths,
            )
        )
        return self

    @_on_rank_0
    def draw_circles(
        self,
        center: Points,
        radius: Points,
        edge_colors: Colors = "g",
        line_styles: str | list[str] = "-",
        line_widths: float | list[float] = 2,
        face_colors: Colors = "none",
        alpha: float = 0.8,
    ) -> Self:
        """Draw circles. Colours, styles and widths are one for all, or a list.

        Args:
            center: Of shape (N, 2) or (2,).
            radius: Of shape (N,).
            edge_colors: Colours of the lines.
            line_styles: Line styles of matplotlib.
            line_widths: In points.
            face_colors: Colours of the insides; ``"none"`` leaves them empty.
            alpha: Opacity, 0 to 1.
        """
        from matplotlib.patches import Circle

        centers, radii = _rows("center", center, 2), as_array("radius", radius)
        if radii.shape != (len(centers),):
            raise VisualizationError(
                f"radius has shape {radii.shape} for {len(centers)} circles",
                help=f"give one of shape ({len(centers)},)",
            )
        self._warn_if_outside("circle", centers - radii[:, None], centers + radii[:, None])
        circles = [
            Circle((x, y), r) for (x, y), r in zip(centers.tolist(), radii.tolist(), strict=True)
        ]
        return self._add_patches(circles, edge_colors, line_styles, line_widths, face_colors, alpha)

    @_on_rank_0
    def draw_bboxes(
        self,
        bboxes: Points,
        edge_colors: Colors = "g",
        line_styles: str | list[str] = "-",
        line_widths: float | list[float] = 2,
        face_colors: Colors = "none",
        alpha: float = 0.8,
    ) -> Self:
        """Draw boxes. Colours, styles and widths are one for all, or a list.

        Args:
            bboxes: (x1, y1, x2, y2) with x1 <= x2 and y1 <= y2, of shape (N, 4) or (4,).
            edge_colors: Colours of the lines.
            line_styles: Line styles of matplotlib.
            line_widths: In points.
            face_colors: Colours of the insides; ``"none"`` leaves them empty.
            alpha: Opacity, 0 to 1.
        """
        boxes = _rows("bboxes", bboxes, 4)
        if not (boxes[:, :2] <= boxes[:, 2:]).all():
            raise VisualizationError(
                "a box has x1 > x2 or y1 > y2", help="give (x1, y1, x2, y2), not (x, y, w, h)"
            )
        self._warn_if_outside("box", boxes.reshape(-1, 2))
        corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 4, 2)
        return self._add_patches(
            _polygons(corners), edge_colors, line_styles, line_widths, face_colors, alpha
        )

    @_on_rank_0
    def draw_polygons(
        self,
        polygons: Points | list[Points],
        edge_colors: Colors = "g",
        line_styles: str | list[str] = "-",
        line_widths: float | list[float] = 2,
        face_colors: Colors = "none",
        alpha: float = 0.8,
    ) -> Self:
        """Draw polygons. Colours, styles and widths are one for all, or a list.

        Args:
            polygons: The corners of each, of shape (M, 2).
            edge_colors: Colours of the lines.
            line_styles: Line styles of matplotlib.
            line_widths: In points.
            face_colors: Colours of the insides; ``"none"`` leaves them empty.
            alpha: Opacity, 0 to 1.
        """
        given = polygons if isinstance(polygons, list) else [polygons]
        corners = [_rows("polygons", polygon, 2) for polygon in given]
        self._warn_if_outside("polygon", *corners)
        return self._add_patches(
            _polygons(corners), edge_colors, line_styles, line_widths, face_colors, alpha
        )

    def _add_patches(
        self,
        patches: list[Any],
        edge_colors: Colors,
        line_styles: str | list[str],
        line_widths: float | list[float],
        face_colors: Colors,
        alpha: float,
    ) -> Self:
        from matplotlib.collections import PatchCollection

        widths = [line_widths] if isinstance(line_widths, int | float) else line_widths
        self.ax_save.add_collection(
            PatchCollection(
                patches,
                alpha=alpha,
                facecolors=color_val_matplotlib(face_colors),
                edgecolors=color_val_matplotlib(edge_colors),
                # Between a point and what still looks like a line in an image of this size.
                linewidths=[min(max(width, 1), self._default_font_size / 4) for width in widths],
                linestyles=line_styles,
            )
        )
        return self

    @_on_rank_0
    def draw_binary_masks(
        self, binary_masks: Points, colors: Colors = "g", alphas: float | list[float] = 0.8
    ) -> Self:
        """Colour the pixels of masks.

        Args:
            binary_masks: Booleans of shape (N, H, W) or (H, W).
            colors: One for all, or one for each mask.
            alphas: Opacity, 0 to 1; one for all, or one for each mask.
        """
        masks = as_array("binary_masks", binary_masks)
        if masks.dtype != np.bool_:
            raise VisualizationError(
                f"the masks have dtype {masks.dtype}", help="give booleans, such as masks > 0.5"
            )
        masks = masks[None] if masks.ndim == 2 else masks
        image = self._drawn()
        if masks.shape[1:] != image.shape[:2]:
            raise VisualizationError(
                f"the masks have size {masks.shape[1:]}, the image {image.shape[:2]}"
            )
        each_color = [
            check_rgb(color_str2rgb(color) if isinstance(color, str) else color)
            for color in per_item("colors", colors, (str, tuple), len(masks))
        ]
        each_alpha = per_item("alphas", alphas, (int, float), len(masks))
        for mask, color, alpha in zip(masks, each_color, each_alpha, strict=False):
            mixed = image[mask] * (1 - alpha) + np.array(color) * alpha
            image[mask] = np.rint(mixed).astype(np.uint8)
        self._show_pixels(image, "nearest")
        return self


def _polygons(corners: Iterable[Image]) -> list[Any]:
    from matplotlib.patches import Polygon

    return [Polygon(points) for points in corners]


def _rows(name: str, value: Points, columns: int) -> Image:
    """Numbers of shape (N, columns), from such or a single row."""
    array = as_array(name, value)
    array = array[None] if array.ndim == 1 else array
    if array.ndim != 2 or array.shape[1] != columns:
        raise VisualizationError(
            f"{name} has shape {array.shape}", help=f"give one of shape (N, {columns})"
        )
    return array
