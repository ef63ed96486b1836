"""Curves for TensorBoard, and runs handed over to trackers: by the engine's own backends."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

import os
from typing import Any, ClassVar, NoReturn

from mainspring.compat.mmcv.runner.hooks.logger.base import LoggerHook
from mainspring.dist import is_main_process
from mainspring.errors import ConfigError
from mainspring.fileio import list_dir_or_file
from mainspring.names.packages import import_optional
from mainspring.registry import VISBACKENDS

__all__ = [
    "ClearMLLoggerHook",
    "DvcliveLoggerHook",
    "MlflowLoggerHook",
    "NeptuneLoggerHook",
    "PaviLoggerHook",
    "SegmindLoggerHook",
    "TensorboardLoggerHook",
    "WandbLoggerHook",
]


class _BackendHook(LoggerHook):
    """Gives the numbers to a backend of the engine, in the main process.

    Args:
        init_kwargs: The backend's ``init_kwargs``; further arguments of it are in `settings`.
        **kwargs: Those of `LoggerHook`; of others, those of `fixed` that have the value there.
    """

    backend: Any = None
    kind: ClassVar[str]
    fixed: ClassVar[dict[str, Any]] = {}

    def __init__(self, init_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        for name, only in self.fixed.items():
            if (value := kwargs.pop(name, only)) != only:
                raise ConfigError(
                    f"{type(self).__name__} has {name}={only!r} only, not {value!r}",
                    help=f"leave it out; {self.kind} records what it does",
                )
        super().__init__(**kwargs)
        self.settings: dict[str, Any] = {} if init_kwargs is None else {"init_kwargs": init_kwargs}

    def before_run(self, runner: Any) -> None:
        super().before_run(runner)
        if is_main_process():
            described = {"type": self.kind, "save_dir": runner.work_dir, **self.settings}
            self.backend = VISBACKENDS.build(described)
            _ = self.backend.experiment  # what is not installed is said before the training

    def log(self, runner: Any) -> None:
        if self.backend is not None and (tags := self.get_loggable_tags(runner)):
            self.backend.add_scalars(tags, self.get_iter(runner))

    def after_run(self, runner: Any) -> None:
        if self.backend is not None:
            self.backend.close()


class TensorboardLoggerHook(_BackendHook):
    """Writes numbers and texts for TensorBoard.

    Args:
        log_dir: Where; ``tf_logs`` in the work directory by default.
        **kwargs: Those of `LoggerHook`.
    """

    kind = "TensorboardVisBackend"

    def __init__(self, log_dir: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.log_dir = log_dir

    def before_run(self, runner: Any) -> None:
        self.settings["save_dir"] = self.log_dir or os.path.join(runner.work_dir, "tf_logs")
        super().before_run(runner)

    def log(self, runner: Any) -> None:
        super().log(runner)
        tags = self.get_loggable_tags(runner, allow_text=True) if self.backend else {}
        for name, value in tags.items():
            if isinstance(value, str):
                self.backend.experiment.add_text(name, value, self.get_iter(runner))


class WandbLoggerHook(_BackendHook):
    """Sends a run to Weights & Biases.

    Args:
        init_kwargs: Arguments of ``wandb.init``.
        log_artifact: Whether files of the work directory are uploaded at the end.
        out_suffix: Endings of these files.
        define_metric_cfg: Summaries by metric.
        **kwargs: Those of `LoggerHook`.
    """

    kind = "WandbVisBackend"
    fixed: ClassVar[dict[str, Any]] = {"commit": True, "with_step": True}

    def __init__(
        self,
        init_kwargs: dict[str, Any] | None = None,
        *,
        log_artifact: bool = True,
        out_suffix: str | tuple[str, ...] = (".log.json", ".log", ".py"),
        define_metric_cfg: dict[str, str] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(init_kwargs, **kwargs)
        self.settings["define_metric_cfg"] = define_metric_cfg
        self.log_artifact, self.out_suffix = log_artifact, out_suffix

    def after_run(self, runner: Any) -> None:
        if self.backend is not None and self.log_artifact:
            wandb = self.backend.experiment
            artifact = wandb.Artifact(name="artifacts", type="model")
            found = list_dir_or_file(
                runner.work_dir, list_dir=False, suffix=self.out_suffix, recursive=True
            )
            for name in sorted(found):
                artifact.add_file(os.path.join(runner.work_dir, name))
            wandb.log_artifact(artifact)
        super().after_run(runner)


class MlflowLoggerHook(_BackendHook):
    """Sends a run to MLflow: to ``MLFLOW_TRACKING_URI``, else into the work directory.

    Args:
        exp_name: Name of the experiment.
        tags: Tags of the run.
        params: Parameters of the run.
        log_model: Whether the model is uploaded at the end.
        **kwargs: Those of `LoggerHook`.
    """

    kind = "MLflowVisBackend"

    def __init__(
        self,
        exp_name: str | None = None,
        tags: dict[str, Any] | None = None,
        params: dict[str, Any] | None = None,
        log_model: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        address = os.environ.get("MLFLOW_TRACKING_URI")
        self.settings |= {"exp_name": exp_name, "tags": tags, "params": params}
        self.settings["tracking_uri"] = address
        self.log_model = log_model

    def after_run(self, runner: Any) -> None:
        if self.backend is not None and self.log_model:
            import_optional("mlflow.pytorch", self.kind).log_model(runner.model, "models")
        super().after_run(runner)


class NeptuneLoggerHook(_BackendHook):
    """Sends a run to Neptune.

    Args:
        init_kwargs: Arguments of ``neptune.init_run``.
        **kwargs: Those of `LoggerHook`.
    """

    kind = "NeptuneVisBackend"
    fixed: ClassVar[dict[str, Any]] = {"with_step": True}


class ClearMLLoggerHook(_BackendHook):
    """Sends a run to ClearML.

    Args:
        init_kwargs: Arguments of ``clearml.Task.init``.
        **kwargs: Those of `LoggerHook`.
    """

    kind = "ClearMLVisBackend"

    def __init__(self, init_kwargs: dict[str, Any] | None = None, **kwargs: Any) -> None:
        super().__init__(init_kwargs, **kwargs)
        self.settings["artifact_suffix"] = ()


class DvcliveLoggerHook(_BackendHook):
    """Records a run with DVCLive.

    Args:
        interval: As for `LoggerHook`.
        ignore_last: As for `LoggerHook`.
        reset_flag: As for `LoggerHook`.
        by_epoch: As for `LoggerHook`.
        model_file: Refused: checkpoints are kept by `CheckpointHook`.
        dvclive: Refused: the hook makes its own.
        **kwargs: Arguments of ``dvclive.Live``.
    """

    kind = "DVCLiveVisBackend"
    fixed: ClassVar[dict[str, Any]] = {"model_file": None, "dvclive": None}

    def __init__(
        self,
        model_file: str | None = None,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
        dvclive: Any = None,
        **kwargs: Any,
    ) -> None:
        when = {"interval": interval, "ignore_last": ignore_last, "by_epoch": by_epoch}
        given = {"model_file": model_file, "dvclive": dvclive, "reset_flag": reset_flag}
        super().__init__({"save_dvc_exp": False, **kwargs}, **when, **given)


class _GoneHook(LoggerHook):
    """A service that is no more, or whose client is not to be had."""

    def __init__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise ConfigError(
            f"there is no {type(self).__name__} here",
            help="use TextLoggerHook, TensorboardLoggerHook, WandbLoggerHook or MlflowLoggerHook",
        )


class PaviLoggerHook(_GoneHook):
    """Refused: Pavi was a service within a company."""


class SegmindLoggerHook(_GoneHook):
    """Refused: Segmind's client for training is gone."""
