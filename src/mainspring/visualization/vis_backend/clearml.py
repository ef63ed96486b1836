"""ClearML."""

from __future__ import annotations

import os
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import (
    Suffixes,
    TrackerVisBackend,
    config_values,
)

__all__ = ["ClearMLVisBackend"]


@VISBACKENDS.register_module()
class ClearMLVisBackend(TrackerVisBackend):
    """Sends a run to ClearML.

    Args:
        save_dir: Of no effect.
        init_kwargs: Arguments of ``clearml.Task.init``.
        artifact_suffix: Endings of the files in the work directory that are uploaded at the end.

    Raises:
        ImportError: clearml is not installed; when the run starts.

    Example:
        >>> backend = dict(type="ClearMLVisBackend", init_kwargs=dict(project_name="digits"))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "clearml"
    handle = "_clearml"
    _clearml: Any
    _task: Any
    _logger: Any

    def __init__(
        self,
        save_dir: str | None = None,
        init_kwargs: dict[str, Any] | None = None,
        artifact_suffix: Suffixes = (".py", ".pth"),
    ) -> None:
        super().__init__(save_dir, init_kwargs)
        self._artifact_suffix = artifact_suffix

    def _start(self, package: Any) -> Any:
        self._task = package.Task.init(**self._init_kwargs)
        self._logger = self._task.get_logger()
        return package

    def _send_config(self, config: Any) -> None:
        self._task.connect_configuration(config_values(config))

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._logger.report_image(title=name, series=name, iteration=step, image=image)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._logger.report_scalar(title=name, series=name, value=value, iteration=step)

    def _end(self) -> None:
        for path, _ in self._artifacts(None, recursive=False):
            self._task.upload_artifact(os.path.basename(path), path)
        self._task.close()
