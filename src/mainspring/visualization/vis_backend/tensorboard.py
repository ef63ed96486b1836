"""TensorBoard."""

from __future__ import annotations

import os
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import TrackerVisBackend

__all__ = ["TensorboardVisBackend"]

# Seconds until waiting events are written; what a killed run loses.
_FLUSH_SECONDS = 30


@VISBACKENDS.register_module()
class TensorboardVisBackend(TrackerVisBackend):
    """Writes event files for TensorBoard; what comes after it was closed opens another one.

    Args:
        save_dir: The directory; created at the first use.

    Raises:
        ImportError: tensorboard is not installed; at the first use.

    Example:
        >>> backend = dict(type="TensorboardVisBackend")
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "torch.utils.tensorboard"
    install = "mainspring[tensorboard]"
    handle = "_tensorboard"
    _tensorboard: Any

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)

    def _start(self, package: Any) -> Any:
        if "://" not in str(self._save_dir):  # the writer itself knows some kinds of storage
            os.makedirs(str(self._save_dir), exist_ok=True)
        return package.SummaryWriter(self._save_dir, flush_secs=_FLUSH_SECONDS)

    def _send_config(self, config: Any) -> None:
        self._tensorboard.add_text("config", config.pretty_text)

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._tensorboard.add_image(name, image, step, dataformats="HWC")

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._tensorboard.add_scalar(name, value, step)

    def _end(self) -> None:
        self._tensorboard.close()
