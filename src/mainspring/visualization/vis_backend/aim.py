"""Aim."""

from __future__ import annotations

import os
from datetime import datetime
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import TrackerVisBackend, config_values

__all__ = ["AimVisBackend"]


@VISBACKENDS.register_module()
class AimVisBackend(TrackerVisBackend):
    """Records a run with Aim.

    Args:
        save_dir: Directory of the run, after which the experiment is named.
        init_kwargs: Arguments of ``aim.Run``.

    Raises:
        ImportError: aim is not installed; when the run starts.

    Example:
        >>> backend = dict(type="AimVisBackend", init_kwargs=dict(experiment="digits"))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "aim"
    handle = "_aim_run"
    numbers_only = False
    _aim: Any
    _aim_run: Any

    def _start(self, package: Any) -> Any:
        name = datetime.now().strftime("%Y%m%d_%H%M%S")
        if self._save_dir is not None:
            name = "_".join(os.path.normpath(self._save_dir).split(os.sep)[-2:])
        self._aim = package
        return package.Run(**{"experiment": name, **self._init_kwargs})

    def _send_config(self, config: Any) -> None:
        self._aim_run["hparams"] = config_values(config)

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._aim_run.track(name=name, value=self._aim.Image(image), step=step)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._aim_run.track(name=name, value=value, step=step)

    def _end(self) -> None:
        self._aim_run.close()
