"""Backends of trackers that take one number at a time."""

from __future__ import annotations

from typing import Any

from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    force_init_env,
    without_step,
)

__all__ = ["OneByOneVisBackend"]


class OneByOneVisBackend(BaseVisBackend):
    """Base of backends that record several numbers by recording each of them.

    Args:
        save_dir: Directory for what the backend writes.
    """

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers; what is no number is left out.

        Args:
            scalar_dict: Numbers by name.
            step: The step.
            file_path: Ignored.
            **kwargs: Ignored.

        Raises:
            VisualizationError: The step is among the numbers.
        """
        for name, value in without_step(scalar_dict).items():
            self.add_scalar(name, value, step)
