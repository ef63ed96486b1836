"""Aim."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    as_number,
    force_init_env,
    import_tracker,
)

__all__ = ["AimVisBackend"]


@VISBACKENDS.register_module()
class AimVisBackend(BaseVisBackend):
    """Records a run with Aim.

    Args:
        save_dir: Directory of the run, after which the experiment is named.
        init_kwargs: Arguments of ``aim.Run``.

    Raises:
        ImportError: aim is not installed; when the run starts.
    """

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = dict(init_kwargs or {})
        self._aim: Any = None
        self._aim_run: Any = None

    def _init_env(self) -> None:
        name = datetime.now().strftime("%Y%m%d_%H%M%S")
        if self._save_dir is not None:
            name = "_".join(os.path.normpath(self._save_dir).split(os.sep)[-2:])
        self._aim = import_tracker("aim", type(self).__name__)
        self._aim_run = self._aim.Run(**{"experiment": name, **self._init_kwargs})

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The ``aim.Run``."""
        return self._aim_run

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as hyperparameters.

        Args:
            config: The config, or a dict.
            **kwargs: Ignored.
        """
        self._aim_run["hparams"] = config.to_dict() if hasattr(config, "to_dict") else config

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._aim_run.track(name=name, value=self._aim.Image(image), step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        self._aim_run.track(name=name, value=as_number(value), step=step)

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
        """
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)

    def close(self) -> None:
        """End the run."""
        if self._aim_run is not None:
            self._aim_run.close()
