"""ClearML."""

from __future__ import annotations

import os
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.artifacts import Suffixes, find_artifacts, work_dir_of
from mainspring.visualization.vis_backend.base import (
    as_number,
    force_init_env,
    import_tracker,
)
from mainspring.visualization.vis_backend.one_by_one import OneByOneVisBackend

__all__ = ["ClearMLVisBackend"]


@VISBACKENDS.register_module()
class ClearMLVisBackend(OneByOneVisBackend):
    """Sends a run to ClearML.

    Args:
        save_dir: Of no effect.
        init_kwargs: Arguments of ``clearml.Task.init``.
        artifact_suffix: Endings of the files in the work directory that are uploaded at the end.

    Raises:
        ImportError: clearml is not installed; when the run starts.
    """

    def __init__(
        self,
        save_dir: str | None = None,
        init_kwargs: dict[str, Any] | None = None,
        artifact_suffix: Suffixes = (".py", ".pth"),
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = dict(init_kwargs or {})
        self._artifact_suffix = artifact_suffix
        self._clearml: Any = None
        self._task: Any = None
        self._logger: Any = None
        self.cfg: Any = None

    def _init_env(self) -> None:
        self._clearml = import_tracker("clearml", type(self).__name__)
        self._task = self._clearml.Task.init(**self._init_kwargs)
        self._logger = self._task.get_logger()

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The module ``clearml``, whose task is started."""
        return self._clearml

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self.cfg = config
        self._task.connect_configuration(config.to_dict())

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._logger.report_image(title=name, series=name, iteration=step, image=image)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        self._logger.report_scalar(title=name, series=name, value=as_number(value), iteration=step)

    def close(self) -> None:
        """Upload the files of the work directory and end the task."""
        if self._task is None:
            return
        directory = work_dir_of(self.cfg)
        for path, _ in find_artifacts(directory, self._artifact_suffix, recursive=False):
            self._task.upload_artifact(os.path.basename(path), path)
        self._task.close()
