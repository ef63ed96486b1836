"""The figure that is drawn on, and the window that shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from mainspring.names.packages import import_optional

__all__ = ["Line", "draw_panels", "img_from_canvas", "new_figure", "new_window", "wait_continue"]

Image = np.ndarray[Any, Any]

Line = tuple[Sequence[float], Sequence[float], Mapping[str, Any]]
"""Iterations, the values there, and how matplotlib draws them."""


def new_figure(settings: dict[str, Any]) -> Any:
    """A figure that is drawn in memory.

    Args:
        settings: Arguments of ``matplotlib.figure.Figure``.

    Raises:
        ImportError: matplotlib is not installed.
    """
    agg = import_optional("matplotlib.backends.backend_agg", "drawing", "mainspring[draw]")
    from matplotlib.figure import Figure

    figure = Figure(**settings)
    agg.FigureCanvasAgg(figure)
    return figure


def draw_panels(
    panels: Mapping[str, Sequence[Line]],
    path: str | Path,
    *,
    columns: int,
    size: tuple[float, float],
    from_zero: bool = False,
) -> None:
    """Draw lines over the iterations of a run into a file.

    Args:
        panels: The lines of each panel, by its title.
        path: The file; its ending says the format.
        columns: How many panels stand side by side.
        size: Width and height of a panel, in inches.
        from_zero: Whether what is positive begins at zero.
    """
    rows = max(1, math.ceil(len(panels) / columns))
    whole = (size[0] * columns, size[1] * rows)
    figure = new_figure({"figsize": whole, "dpi": 150, "layout": "constrained"})
    end = max([1, *(iterations[-1] for lines in panels.values() for iterations, _, _ in lines)])
    for place, (title, lines) in enumerate(panels.items(), start=1):
        axes = figure.add_subplot(rows, columns, place)
        for iterations, values, style in lines:
            axes.plot(iterations, values, **style)
        if len(lines) > 1:
            axes.legend(frameon=False, fontsize=8)
        axes.set_title(title, fontsize=10, loc="left")
        axes.set_xlabel("iteration", fontsize=8)
        axes.tick_params(labelsize=8, length=3)
        axes.grid(color="#e3e3e3", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_xlim(-0.02 * end, 1.02 * end)
        if from_zero:
            axes.set_ylim(bottom=min(0.0, *axes.get_ylim()))
    figure.savefig(path)


def set_size(figure: Any, width: int, height: int) -> None:
    """Set the size of a figure in pixels, and let the axes fill it."""
    figure.subplots_adjust(left=0, right=1, bottom=0, top=1, wspace=0, hspace=0)
    # matplotlib rounds down; the hundredth keeps e.g. 9.999999 from becoming 9.
    dpi = figure.get_dpi()
    figure.set_size_inches((width + 0.01) / dpi, (height + 0.01) / dpi)


def img_from_canvas(canvas: Any) -> Image:
    """What a canvas shows, as RGB of shape (H, W, 3), uint8."""
    canvas.draw()
    return np.array(canvas.buffer_rgba(), dtype=np.uint8)[..., :3].copy()


def new_window(settings: dict[str, Any]) -> Any:
    """A window with a figure, as a figure manager of ``matplotlib.pyplot``.

    Args:
        settings: Arguments of the figure.
    """
    pyplot = import_optional("matplotlib.pyplot", "showing an image", "mainspring[draw]")
    return pyplot.new_figure_manager(num=1, FigureClass=pyplot.Figure, **settings)


def wait_continue(figure: Any, timeout: float = 0, continue_key: str = " ") -> int:
    """Show a figure and wait for a key.

    Args:
        figure: The figure, shown in a window.
        timeout: Seconds to wait; 0 waits for the key.
        continue_key: The key that ends it.

    Returns:
        1 if the window was closed, else 0.
    """
    import matplotlib.pyplot as plt
    from matplotlib.backend_bases import CloseEvent

    if "inline" in plt.get_backend():
        return 0  # a notebook has no window to wait for
    if figure.canvas.manager:
        figure.show()
    closed = done = False

    def stop(event: Any) -> None:
        nonlocal closed, done
        closed = closed or isinstance(event, CloseEvent)
        done = getattr(event, "key", None) == continue_key
        if closed or done:
            figure.canvas.stop_event_loop()

    names = ("key_press_event", "close_event")
    connections = [figure.canvas.mpl_connect(name, stop) for name in names]
    try:
        figure.canvas.start_event_loop(timeout)
    finally:
        for connection in connections:
            figure.canvas.mpl_disconnect(connection)
    return int(closed)
