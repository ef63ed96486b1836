"""Draw on an image with matplotlib."""

from __future__ import annotations

from typing import Any

__all__ = ["Drawing"]


class Drawing:
    """The drawing half of `Visualizer`."""

    def __init__(
        self, image: Any, fig_save_cfg: dict[str, Any], fig_show_cfg: dict[str, Any]
    ) -> None:
        self.fig_save_cfg = fig_save_cfg
        self.fig_show_cfg = fig_show_cfg
        self._image: Any = image
