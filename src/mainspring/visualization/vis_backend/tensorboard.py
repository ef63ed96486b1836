"""TensorBoard."""

from __future__ import annotations

import os
import warnings
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.errors import VisualizationError
from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    as_number,
    force_init_env,
    import_tracker,
)

__all__ = ["TensorboardVisBackend"]

# Seconds until waiting events are written; what a killed run loses.
_FLUSH_SECONDS = 30


@VISBACKENDS.register_module()
class TensorboardVisBackend(BaseVisBackend):
    """Writes event files for TensorBoard.

    Args:
        save_dir: The directory; created at the first use.

    Raises:
        ImportError: tensorboard is not installed; at the first use.
    """

    def __init__(self, save_dir: str) -> None:
        super().__init__(save_dir)
        self._tensorboard: Any = None

    def _init_env(self) -> None:
        name = type(self).__name__
        package = import_tracker("torch.utils.tensorboard", name, "mainspring[tensorboard]")
        os.makedirs(str(self._save_dir), exist_ok=True)
        self._tensorboard = package.SummaryWriter(self._save_dir, flush_secs=_FLUSH_SECONDS)

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The ``SummaryWriter``."""
        return self._tensorboard

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as text.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self._tensorboard.add_text("config", config.pretty_text)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._tensorboard.add_image(name, image, step, dataformats="HWC")

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number; a warning says so when it is none.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        number = as_number(value)
        if isinstance(number, int | float):
            self._tensorboard.add_scalar(name, number, step)
        else:
            warnings.warn(
                f"{name} is a {type(value).__name__}, not a number: TensorBoard does not get it",
                stacklevel=2,
            )

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers.

        Args:
            scalar_dict: Numbers by name.
            step: The step.
            file_path: Ignored.
            **kwargs: Ignored.

        Raises:
            VisualizationError: The step is among the numbers.
        """
        if "step" in scalar_dict:
            raise VisualizationError(
                "the step is among the scalars", help="give it as the argument step="
            )
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is waiting; a later record opens another file."""
        if self._tensorboard is not None:
            self._tensorboard.close()
