"""Colours: names of matplotlib, or RGB tuples from 0 to 255."""

from __future__ import annotations

from typing import Any

from mainspring.errors import VisualizationError
from mainspring.names.packages import import_optional

__all__ = ["color_str2rgb", "color_val_matplotlib"]


def color_val_matplotlib(colors: Any) -> Any:
    """Colours as matplotlib takes them: tuples are scaled to 0 to 1, names stay.

    Args:
        colors: A name, an RGB tuple from 0 to 255, or a list of those.

    Raises:
        VisualizationError: A tuple is no RGB colour.
        TypeError: A colour is nothing of this kind.
    """
    if isinstance(colors, str):
        return colors
    if isinstance(colors, list):
        return [color_val_matplotlib(color) for color in colors]
    if isinstance(colors, tuple):
        return tuple(channel / 255 for channel in check_rgb(colors))
    raise TypeError(f"a color is a name or an RGB tuple, not a {type(colors).__name__}")


def check_rgb(color: tuple[float, ...]) -> tuple[float, ...]:
    """The colour, if it is one.

    Raises:
        VisualizationError: It is not three numbers from 0 to 255.
    """
    if len(color) != 3 or not all(0 <= channel <= 255 for channel in color):
        raise VisualizationError(f"{color!r} is no color", help="give three numbers from 0 to 255")
    return color


def color_str2rgb(color: str) -> tuple[int, ...]:
    """A colour of matplotlib as an RGB tuple from 0 to 255; transparency is dropped."""
    colors = import_optional("matplotlib.colors", "drawing", "mainspring[draw]")
    return tuple(int(channel * 255) for channel in colors.to_rgb(color))
