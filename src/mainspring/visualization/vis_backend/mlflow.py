"""MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.artifacts import Suffixes, find_artifacts, work_dir_of
from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    as_number,
    force_init_env,
    import_tracker,
    without_step,
)

__all__ = ["MLflowVisBackend"]

# Limits of MLflow servers.
_PARAMS_PER_CALL = 100
_LONGEST_PARAM = 500


@VISBACKENDS.register_module()
class MLflowVisBackend(BaseVisBackend):
    """Sends a run to MLflow.

    Args:
        save_dir: Directory of local files.
        exp_name: Name of the experiment; ``"Default"`` by default.
        run_name: Name of the run.
        tags: Tags of the run.
        params: Parameters of the run, besides those of the config.
        tracking_uri: The server; `save_dir` by default.
        artifact_suffix: Endings of the files in the work directory that are uploaded at the end.
        tracked_config_keys: Top-level keys of the config to record; all by default.
        artifact_location: Where a new experiment keeps files; the server chooses by default.

    Raises:
        ImportError: mlflow is not installed; when the run starts.
    """

    def __init__(
        self,
        save_dir: str,
        exp_name: str | None = None,
        run_name: str | None = None,
        tags: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        tracking_uri: str | None = None,
        artifact_suffix: Suffixes = (".json", ".log", ".py", "yaml"),
        tracked_config_keys: Sequence[str] | Mapping[str, Any] | None = None,
        artifact_location: str | None = None,
    ) -> None:
        super().__init__(save_dir)
        self._exp_name = exp_name or "Default"
        self._run_name = run_name
        self._tags = tags
        self._params = params
        self._tracking_uri = tracking_uri
        self._artifact_suffix = artifact_suffix
        self._tracked_config_keys = tracked_config_keys
        self._artifact_location = artifact_location
        self._mlflow: Any = None
        self.cfg: Any = None

    def _init_env(self) -> None:
        mlflow = import_tracker("mlflow", type(self).__name__, "mainspring[mlflow]")
        os.makedirs(str(self._save_dir), exist_ok=True)
        mlflow.set_tracking_uri(self._tracking_uri or Path(str(self._save_dir)).resolve().as_uri())
        if mlflow.get_experiment_by_name(self._exp_name) is None:
            mlflow.create_experiment(self._exp_name, artifact_location=self._artifact_location)
        mlflow.set_experiment(self._exp_name)
        if self._run_name is not None:
            mlflow.set_tag("mlflow.runName", self._run_name)
        if self._tags is not None:
            mlflow.set_tags(self._tags)
        if self._params is not None:
            mlflow.log_params(self._params)
        self._mlflow = mlflow

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The module ``mlflow``, whose run is started."""
        return self._mlflow

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as parameters with dotted names, and as the file ``config.py``.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self.cfg = config
        values = config.to_dict()
        if self._tracked_config_keys is not None:
            values = {key: values[key] for key in self._tracked_config_keys}
        params = list(_flat(values).items())
        for start in range(0, len(params), _PARAMS_PER_CALL):
            self._mlflow.log_params(dict(params[start : start + _PARAMS_PER_CALL]))
        self._mlflow.log_text(config.pretty_text, "config.py")

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image as ``{name}_{step}.png``.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step.
            **kwargs: Ignored.
        """
        self._mlflow.log_image(image, f"{name}_{step}.png")

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step.
            **kwargs: Ignored.
        """
        self._mlflow.log_metric(name, as_number(value), step)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers together; what is no number is left out.

        Args:
            scalar_dict: Numbers by name.
            step: The step.
            file_path: Ignored.
            **kwargs: Ignored.

        Raises:
            VisualizationError: The step is among the numbers.
        """
        self._mlflow.log_metrics(without_step(scalar_dict), step)

    def close(self) -> None:
        """Upload the files of the work directory and end the run."""
        if self._mlflow is None:
            return
        directory = work_dir_of(self.cfg)
        for path, folder in find_artifacts(directory, self._artifact_suffix, recursive=True):
            self._mlflow.log_artifact(path, folder or None)
        self._mlflow.end_run()


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested values by dotted name, as texts that a server takes."""
    found: dict[str, str] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, Mapping):
            found |= _flat(value, f"{name}.")
        elif isinstance(value, list) and any(isinstance(item, Mapping) for item in value):
            found |= _flat({str(index): item for index, item in enumerate(value)}, f"{name}.")
        else:
            found[name] = str(value)[:_LONGEST_PARAM]
    return found
