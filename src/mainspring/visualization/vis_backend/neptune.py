"""Neptune."""

from __future__ import annotations

from typing import Any

import numpy as np

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import (
    as_number,
    force_init_env,
    import_tracker,
)
from mainspring.visualization.vis_backend.one_by_one import OneByOneVisBackend

__all__ = ["NeptuneVisBackend"]


@VISBACKENDS.register_module()
class NeptuneVisBackend(OneByOneVisBackend):
    """Sends a run to Neptune.

    Args:
        save_dir: Of no effect.
        init_kwargs: Arguments of ``neptune.init_run``; without any, the run is kept offline.

    Raises:
        ImportError: neptune is not installed; when the run starts.
    """

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = {"mode": "offline"} if init_kwargs is None else dict(init_kwargs)
        self._neptune: Any = None
        self._file: Any = None

    def _init_env(self) -> None:
        name = type(self).__name__
        self._file = import_tracker("neptune.types", name).File
        self._neptune = import_tracker("neptune", name).init_run(**self._init_kwargs)

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The run."""
        return self._neptune

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as a file.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self._neptune["config"].upload(self._file.from_content(config.pretty_text))

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        scaled = image.astype(np.float32) / 255
        self._neptune["images"].append(self._file.as_image(scaled), name=name, step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        self._neptune[name].append(as_number(value), step=step)

    def close(self) -> None:
        """Send what is waiting and end the run."""
        if self._neptune is not None:
            self._neptune.stop()
