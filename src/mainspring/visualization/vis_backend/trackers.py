"""Experiment trackers of other packages, each imported at its first use.

One class for each; they are alike enough to be read together: start the tracker, hand scalars,
images and the config over, end it.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import BaseVisBackend, as_number, force_init_env

__all__ = [
    "AimVisBackend",
    "ClearMLVisBackend",
    "DVCLiveVisBackend",
    "MLflowVisBackend",
    "NeptuneVisBackend",
    "WandbVisBackend",
]


def _package(name: str, install: str, backend: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        error.add_note(f"{backend} needs: pip install {install}")
        raise


def _as_dict(config: Any) -> dict[str, Any]:
    found: dict[str, Any] = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    return found


class _Tracker(BaseVisBackend):
    """What trackers share: several scalars are one scalar after the other."""

    _experiment: Any = None

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The tracker's own object."""
        return self._experiment

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers."""
        for name, value in scalar_dict.items():
            self.add_scalar(name, value, step)


@VISBACKENDS.register_module()
class WandbVisBackend(_Tracker):
    """Weights & Biases; every record carries its step.

    Args:
        save_dir: Directory for local files.
        init_kwargs: Arguments of ``wandb.init``; give an ``id`` to continue a run.
        define_metric_cfg: Summaries by metric, or arguments of ``define_metric`` in a list.
        commit: Whether each record is sent at once.
        log_code_name: Name under which the source is uploaded.
        watch_kwargs: Arguments of ``watch``.
    """

    def __init__(
        self,
        save_dir: str,
        init_kwargs: dict[str, Any] | None = None,
        define_metric_cfg: dict[str, str] | Sequence[dict[str, Any]] | None = None,
        commit: bool = True,
        log_code_name: str | None = None,
        watch_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = dict(init_kwargs or {})
        self._define_metric_cfg = define_metric_cfg
        self._commit = commit
        self._log_code_name = log_code_name
        self._watch_kwargs = dict(watch_kwargs or {})

    def _init_env(self) -> None:
        os.makedirs(self._save_dir, exist_ok=True)
        wandb = _package("wandb", "mainspring[wandb]", type(self).__name__)
        self._wandb = wandb
        self._init_kwargs.setdefault("dir", self._save_dir)
        self._init_kwargs.setdefault("resume", "allow")
        self._experiment = wandb.init(**self._init_kwargs)
        metrics = self._define_metric_cfg
        if isinstance(metrics, Mapping):
            for name, summary in metrics.items():
                self._experiment.define_metric(name, summary=summary)
        else:
            for arguments in metrics or []:
                self._experiment.define_metric(**arguments)

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config, and the source if asked for."""
        self._experiment.config.update(_as_dict(config), allow_val_change=True)
        self._experiment.log_code(name=self._log_code_name)

    @force_init_env
    def add_graph(self, model: Any, data_batch: Any, **kwargs: Any) -> None:
        """Watch the model."""
        self._experiment.watch(model, **self._watch_kwargs)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._experiment.log({name: self._wandb.Image(image)}, step=step, commit=self._commit)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._experiment.log({name: as_number(value)}, step=step, commit=self._commit)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: Mapping[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers together."""
        row = {name: as_number(value) for name, value in scalar_dict.items()}
        self._experiment.log(row, step=step, commit=self._commit)

    def close(self) -> None:
        """End the run."""
        if self._experiment is not None:
            self._experiment.finish()


@VISBACKENDS.register_module()
class MLflowVisBackend(_Tracker):
    """MLflow.

    Args:
        save_dir: Directory for local files.
        exp_name: Name of the experiment.
        run_name: Name of the run.
        tags: Tags of the run.
        params: Parameters of the run.
        tracking_uri: Address of the server; a local folder by default.
        artifact_suffix: Endings of the files to upload at the end.
        tracked_config_keys: Top-level keys of the config to record; all by default.
        artifact_location: Where the server keeps files.
    """

    def __init__(
        self,
        save_dir: str,
        exp_name: str | None = None,
        run_name: str | None = None,
        tags: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        tracking_uri: str | None = None,
        artifact_suffix: tuple[str, ...] | str = (".json", ".log", ".py", "yaml"),
        tracked_config_keys: dict[str, Any] | None = None,
        artifact_location: str | None = None,
    ) -> None:
        super().__init__(save_dir)
        self._exp_name = exp_name or "Default"
        self._run_name = run_name
        self._tags = tags
        self._params = params
        self._tracking_uri = tracking_uri
        suffixes = (artifact_suffix,) if isinstance(artifact_suffix, str) else artifact_suffix
        self._artifact_suffix = tuple(suffixes)
        self._tracked_config_keys = tracked_config_keys
        self._artifact_location = artifact_location

    def _init_env(self) -> None:
        os.makedirs(self._save_dir, exist_ok=True)
        mlflow = _package("mlflow", "mainspring[mlflow]", type(self).__name__)
        self._experiment = mlflow
        mlflow.set_tracking_uri(self._tracking_uri or os.path.join(self._save_dir, "mlruns"))
        if mlflow.get_experiment_by_name(self._exp_name) is None:
            mlflow.create_experiment(self._exp_name, artifact_location=self._artifact_location)
        mlflow.set_experiment(self._exp_name)
        if self._run_name is not None:
            mlflow.set_tag("mlflow.runName", self._run_name)
        if self._tags is not None:
            mlflow.set_tags(self._tags)
        if self._params is not None:
            mlflow.log_params(self._params)

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as parameters."""
        values = _as_dict(config)
        keys = self._tracked_config_keys or values
        self._experiment.log_params({key: values[key] for key in keys if key in values})
        self._experiment.log_text(config.pretty_text, "config.py")

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._experiment.log_image(image, f"{name}_{step}.png")

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number; what is none is left out."""
        number = as_number(value)
        if isinstance(number, int | float):
            self._experiment.log_metric(name, number, step)

    def close(self) -> None:
        """Upload the files of the run and end it."""
        if self._experiment is None:
            return
        root = os.path.dirname(self._save_dir)
        for folder, _, files in os.walk(root):
            for file in sorted(files):
                if file.endswith(self._artifact_suffix):
                    self._experiment.log_artifact(os.path.join(folder, file))
        self._experiment.end_run()


@VISBACKENDS.register_module()
class ClearMLVisBackend(_Tracker):
    """ClearML.

    Args:
        save_dir: Directory for local files.
        init_kwargs: Arguments of ``Task.init``.
        artifact_suffix: Endings of the files to upload at the end.
    """

    def __init__(
        self,
        save_dir: str | None = None,
        init_kwargs: dict[str, Any] | None = None,
        artifact_suffix: tuple[str, ...] | str = (".py", ".pth"),
    ) -> None:
        super().__init__(save_dir or "")
        self._init_kwargs = dict(init_kwargs or {})
        suffixes = (artifact_suffix,) if isinstance(artifact_suffix, str) else artifact_suffix
        self._artifact_suffix = tuple(suffixes)

    def _init_env(self) -> None:
        clearml = _package("clearml", "clearml", type(self).__name__)
        self._experiment = clearml.Task.init(**self._init_kwargs)
        self._reporter = self._experiment.get_logger()

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config."""
        self._experiment.connect_configuration(_as_dict(config))

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._reporter.report_image(title=name, series=name, iteration=step, image=image)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._reporter.report_scalar(
            title=name, series=name, value=as_number(value), iteration=step
        )

    def close(self) -> None:
        """Upload the files of the run and end it."""
        if self._experiment is None:
            return
        for folder, _, files in os.walk(os.path.dirname(self._save_dir)):
            for file in sorted(files):
                if file.endswith(self._artifact_suffix):
                    self._experiment.upload_artifact(file, os.path.join(folder, file))
        self._experiment.close()


@VISBACKENDS.register_module()
class NeptuneVisBackend(_Tracker):
    """Neptune; without arguments it records offline.

    Args:
        save_dir: Directory for local files.
        init_kwargs: Arguments of ``neptune.init_run``.
    """

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir or "")
        self._init_kwargs = {"mode": "offline"} if init_kwargs is None else dict(init_kwargs)

    def _init_env(self) -> None:
        self._neptune = _package("neptune", "neptune", type(self).__name__)
        self._experiment = self._neptune.init_run(**self._init_kwargs)

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config."""
        types = importlib.import_module("neptune.types")
        self._experiment["config"].upload(types.File.from_content(config.pretty_text))

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        types = importlib.import_module("neptune.types")
        self._experiment["images"].append(types.File.as_image(image / 255), name=name, step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._experiment[name].append(as_number(value), step=step)

    def close(self) -> None:
        """End the run."""
        if self._experiment is not None:
            self._experiment.stop()


@VISBACKENDS.register_module()
class DVCLiveVisBackend(_Tracker):
    """DVCLive.

    Args:
        save_dir: Directory for local files.
        artifact_suffix: Endings of the files to record at the end.
        init_kwargs: Arguments of ``dvclive.Live``.
    """

    def __init__(
        self,
        save_dir: str,
        artifact_suffix: tuple[str, ...] | str = (".json", ".py"),
        init_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir)
        suffixes = (artifact_suffix,) if isinstance(artifact_suffix, str) else artifact_suffix
        self._artifact_suffix = tuple(suffixes)
        self._init_kwargs = {"dir": save_dir, "save_dvc_exp": False, **(init_kwargs or {})}

    def _init_env(self) -> None:
        dvclive = _package("dvclive", "dvclive", type(self).__name__)
        self._experiment = dvclive.Live(**self._init_kwargs)

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config as parameters."""
        self._experiment.log_params(_as_dict(config))

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._experiment.log_image(f"{name}_{step}.png", image)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._experiment.step = step
        self._experiment.log_metric(name, as_number(value))

    def close(self) -> None:
        """Record the files of the run and end it."""
        if self._experiment is None:
            return
        for folder, _, files in os.walk(os.path.dirname(self._save_dir)):
            for file in sorted(files):
                if file.endswith(self._artifact_suffix):
                    self._experiment.log_artifact(os.path.join(folder, file))
        self._experiment.end()


@VISBACKENDS.register_module()
class AimVisBackend(_Tracker):
    """Aim.

    Args:
        save_dir: Directory for local files.
        init_kwargs: Arguments of ``aim.Run``.
    """

    def __init__(
        self, save_dir: str | None = None, init_kwargs: dict[str, Any] | None = None
    ) -> None:
        super().__init__(save_dir or "")
        self._init_kwargs = dict(init_kwargs or {})

    def _init_env(self) -> None:
        self._aim = _package("aim", "aim", type(self).__name__)
        folder = os.path.join(os.path.dirname(os.path.dirname(self._save_dir)), "aim")
        self._experiment = self._aim.Run(**{"repo": folder, **self._init_kwargs})

    @force_init_env
    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config."""
        self._experiment["hparams"] = _as_dict(config)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image."""
        self._experiment.track(name=name, value=self._aim.Image(image), step=step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number."""
        self._experiment.track(name=name, value=as_number(value), step=step)

    def close(self) -> None:
        """End the run."""
        if self._experiment is not None:
            self._experiment.close()
