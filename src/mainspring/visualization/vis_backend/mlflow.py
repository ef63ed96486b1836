"""MLflow."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.tracker import (
    Suffixes,
    TrackerVisBackend,
    config_values,
)

__all__ = ["MLflowVisBackend"]

# Limits of MLflow servers.
_PARAMS_PER_CALL = 100
_LONGEST_PARAM = 500


@VISBACKENDS.register_module()
class MLflowVisBackend(TrackerVisBackend):
    """Sends a run to MLflow.

    The config becomes parameters with dotted names and the file ``config.py``, an image
    ``{name}_{step}.png``.

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

    Example:
        >>> backend = dict(type="MLflowVisBackend", exp_name="digits", tracking_uri="runs")
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "mlflow"
    install = "mainspring[mlflow]"
    handle = "_mlflow"
    _mlflow: Any

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

    def _start(self, package: Any) -> Any:
        os.makedirs(str(self._save_dir), exist_ok=True)
        package.set_tracking_uri(self._tracking_uri or Path(str(self._save_dir)).resolve().as_uri())
        if package.get_experiment_by_name(self._exp_name) is None:
            package.create_experiment(self._exp_name, artifact_location=self._artifact_location)
        package.set_experiment(self._exp_name)
        if self._run_name is not None:
            package.set_tag("mlflow.runName", self._run_name)
        if self._tags is not None:
            package.set_tags(self._tags)
        if self._params is not None:
            package.log_params(self._params)
        return package

    def _send_config(self, config: Any) -> None:
        values = config_values(config)
        if self._tracked_config_keys is not None:
            values = {key: values[key] for key in self._tracked_config_keys}
        params = list(_flat(values).items())
        for start in range(0, len(params), _PARAMS_PER_CALL):
            self._mlflow.log_params(dict(params[start : start + _PARAMS_PER_CALL]))
        self._mlflow.log_text(config.pretty_text, "config.py")

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._mlflow.log_image(image, f"{name}_{step}.png")

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._mlflow.log_metric(name, value, step)

    def _send_scalars(self, values: dict[str, Any], step: int) -> None:
        self._mlflow.log_metrics(values, step)

    def _end(self) -> None:
        for path, folder in self._artifacts(None, recursive=True):
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
