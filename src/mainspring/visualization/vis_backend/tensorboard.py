"""TensorBoard."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import BaseVisBackend, as_number, force_init_env

__all__ = ["TensorboardVisBackend"]


@VISBACKENDS.register_module()
class TensorboardVisBackend(BaseVisBackend):
    """Writes event files for TensorBoard.

    Args:
        save_dir: The directory.

    Raises:
        ImportError: tensorboard is not installed; at the first use.
    """

    _writer: Any = None

    def _init_env(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            error.add_note("TensorboardVisBackend needs: pip install mainspring[tensorboard]")
            raise
        self._writer = SummaryWriter(self._save_dir)  # type: ignore[no-untyped-call]  # - torch's

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The ``SummaryWriter``."""
        return self._writer

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as text."""
        self._writer.add_text("config", config.pretty_text)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._writer.add_image(name, image, step, dataformats="HWC")

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number; what is none is left out."""
        number = as_number(value)
        if isinstance(number, int | float):
            self._writer.add_scalar(name, number, step)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers."""
        if "step" in scalar_dict:
            raise ValueError("give the step as an argument, not among the numbers")
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is waiting."""
        if self._writer is not None:
            self._writer.close()
