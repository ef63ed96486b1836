"""Trackio."""

from __future__ import annotations

import os
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import (
    TrackerVisBackend,
    config_values,
    plain_values,
)

__all__ = ["TrackioVisBackend"]


@VISBACKENDS.register_module()
class TrackioVisBackend(TrackerVisBackend):
    """Records a run with Trackio, whose dashboard ``trackio show`` opens.

    Project and run are named after the work directory and the time of the start. Data stay on this
    machine unless `init_kwargs` name a space or server.

    Args:
        save_dir: Directory of the run, after which it is named.
        init_kwargs: Arguments of ``trackio.init``.

    Raises:
        ImportError: trackio is not installed; when the run starts.

    Example:
        >>> backend = dict(type="TrackioVisBackend", init_kwargs=dict(project="digits"))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "trackio"
    install = "mainspring[trackio]"
    handle = "_trackio"
    _trackio: Any
    _run: Any

    def _start(self, package: Any) -> Any:
        parts = os.path.normpath(self._save_dir or "mainspring").split(os.sep)
        named = dict(zip(("project", "name"), parts[-3:-1] or parts, strict=False))
        config = None if self.cfg is None else plain_values(config_values(self.cfg))
        settings = {**named, "config": config, "resume": "allow", "embed": False}
        self._run = package.init(**{**settings, **self._init_kwargs})
        return package

    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config, with which the run starts when its first record comes.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self._import()
        self.cfg = config

    def _send_config(self, config: Any) -> None:
        """Nothing: the run starts with it."""

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._run.log({name: self._trackio.Image(image)}, step=step)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._run.log({name: value}, step=step)

    def _send_scalars(self, values: dict[str, Any], step: int) -> None:
        self._run.log(values, step=step)

    def _end(self) -> None:
        self._trackio.finish()
