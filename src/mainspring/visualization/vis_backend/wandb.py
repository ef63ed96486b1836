"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.logging import MessageHub
from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import (
    BaseVisBackend,
    as_number,
    force_init_env,
    import_tracker,
)

__all__ = ["WandbVisBackend"]

_RUN_ID = "wandb_run_id"


@VISBACKENDS.register_module()
class WandbVisBackend(BaseVisBackend):
    """Sends a run to Weights & Biases.

    Records stand at the iteration of the run, so that training and validation share an axis
    whatever the step of the latter is. The id of the run is kept in checkpoints: a run that is
    resumed goes on in the same place, and what it repeats is not sent twice.

    Args:
        save_dir: Directory for local files.
        init_kwargs: Arguments of ``wandb.init``.
        define_metric_cfg: Summaries by metric, such as ``{"accuracy": "max"}``, or a list of
            arguments of ``define_metric``.
        commit: Of no effect: a record is sent when the next iteration is recorded.
        log_code_name: Name under which the source is uploaded; one is made up by default.
        watch_kwargs: Arguments of ``watch``, for the model.

    Raises:
        ImportError: wandb is not installed; when the run starts.
    """

    def __init__(
        self,
        save_dir: str,
        init_kwargs: dict[str, Any] | None = None,
        define_metric_cfg: dict[str, str] | Sequence[dict[str, Any]] | None = None,
        commit: bool | None = True,
        log_code_name: str | None = None,
        watch_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir)
        self._init_kwargs = dict(init_kwargs or {})
        self._define_metric_cfg = define_metric_cfg
        self._commit = commit
        self._log_code_name = log_code_name
        self._watch_kwargs = dict(watch_kwargs or {})
        self._config: Any = None
        self._wandb: Any = None
        self._step = self._resumed_step = 0

    def _init_env(self) -> None:
        wandb = import_tracker("wandb", type(self).__name__, "mainspring[wandb]")
        os.makedirs(str(self._save_dir), exist_ok=True)
        settings = {"dir": self._save_dir, **self._init_kwargs}
        hub = MessageHub.get_current_instance()
        known_id = hub.get_info(_RUN_ID)
        if known_id is not None and "id" not in settings:
            settings |= {"id": known_id, "resume": "allow"}
        run = wandb.init(**settings)
        self._wandb = wandb
        hub.update_info(_RUN_ID, run.id)
        self._step = self._resumed_step = run.step
        metrics = self._define_metric_cfg or {}
        if isinstance(metrics, Mapping):
            metrics = [{"name": name, "summary": summary} for name, summary in metrics.items()]
        for arguments in metrics:
            wandb.define_metric(**arguments)
        if self._config is not None:
            wandb.config.update(self._config.to_dict(), allow_val_change=True)
            run.log_code(name=self._log_code_name)

    @property
    @force_init_env
    def experiment(self) -> Any:
        """The module ``wandb``, whose run is started."""
        return self._wandb

    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config and the source.

        The config is there before a checkpoint is resumed, which tells which run to go on with; so
        the run starts with the first record after it.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        import_tracker("wandb", type(self).__name__, "mainspring[wandb]")
        self._config = config
        if self._wandb is not None:
            self._wandb.config.update(config.to_dict(), allow_val_change=True)

    @force_init_env
    def add_graph(self, model: Any, data_batch: Any, **kwargs: Any) -> None:
        """Watch the model.

        Args:
            model: The model.
            data_batch: Ignored.
            **kwargs: Ignored.
        """
        self._wandb.watch(model, **self._watch_kwargs)

    @force_init_env
    def add_image(self, name: str, image: Any, step: int = 0, **kwargs: Any) -> None:
        """Record an image.

        Args:
            name: Its name.
            image: RGB of shape (H, W, 3), uint8.
            step: The step, where no training is going on.
            **kwargs: Ignored.
        """
        self._log({name: self._wandb.Image(image)}, step)

    @force_init_env
    def add_scalar(self, name: str, value: Any, step: int = 0, **kwargs: Any) -> None:
        """Record a number.

        Args:
            name: Its name.
            value: A number, or tensor or array with one element.
            step: The step, where no training is going on.
            **kwargs: Ignored.
        """
        self._log({name: as_number(value)}, step)

    @force_init_env
    def add_scalars(
        self,
        scalar_dict: dict[str, Any],
        step: int = 0,
        file_path: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Record several numbers together.

        Args:
            scalar_dict: Numbers by name.
            step: The step, where no training is going on.
            file_path: Ignored.
            **kwargs: Ignored.
        """
        self._log({name: as_number(value) for name, value in scalar_dict.items()}, step)

    def _log(self, row: dict[str, Any], step: int) -> None:
        """Send a row; wandb drops what stands before its newest step."""
        iteration = MessageHub.get_current_instance().get_info("iter")
        at = step if iteration is None else max(step, iteration + 1)
        if at < self._resumed_step:
            return  # sent before the run was interrupted
        self._step = max(self._step, at)
        self._wandb.log(row, step=self._step)

    def close(self) -> None:
        """Send what is waiting and end the run."""
        if self._wandb is not None:
            self._wandb.finish()
