"""The figure that is drawn on, and the window that shows it."""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.names.packages import import_optional

__all__ = ["img_from_canvas", "new_figure", "new_window", "wait_continue"]

Image = np.ndarray[Any, Any]


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
