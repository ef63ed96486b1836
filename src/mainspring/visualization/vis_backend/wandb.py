"""Weights & Biases."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from mainspring.logging import MessageHub
from mainspring.registry import VISBACKENDS
from mainspring.visualization.vis_backend.base import force_init_env
from mainspring.visualization.vis_backend.tracker import TrackerVisBackend, config_values

__all__ = ["WandbVisBackend"]

_RUN_ID = "wandb_run_id"


@VISBACKENDS.register_module()
class WandbVisBackend(TrackerVisBackend):
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

    Example:
        >>> backend = dict(type="WandbVisBackend", init_kwargs=dict(project="digits"))
        >>> visualizer = dict(type="Visualizer", vis_backends=[backend])
    """

    package = "wandb"
    install = "mainspring[wandb]"
    handle = "_wandb"
    numbers_only = False
    _wandb: Any

    def __init__(
        self,
        save_dir: str,
        init_kwargs: dict[str, Any] | None = None,
        define_metric_cfg: dict[str, str] | Sequence[dict[str, Any]] | None = None,
        commit: bool | None = True,
        log_code_name: str | None = None,
        watch_kwargs: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(save_dir, init_kwargs)
        self._define_metric_cfg = define_metric_cfg
        self._commit = commit
        self._log_code_name = log_code_name
        self._watch_kwargs = dict(watch_kwargs or {})
        self._step = self._resumed_step = 0

    def _start(self, package: Any) -> Any:
        os.makedirs(str(self._save_dir), exist_ok=True)
        settings = {"dir": self._save_dir, **self._init_kwargs}
        hub = MessageHub.get_current_instance()
        known_id = hub.get_info(_RUN_ID)
        if known_id is not None and "id" not in settings:
            settings |= {"id": known_id, "resume": "allow"}
        run = package.init(**settings)
        hub.update_info(_RUN_ID, run.id)
        self._step = self._resumed_step = int(run.step)
        metrics = self._define_metric_cfg or {}
        if isinstance(metrics, Mapping):
            for name, summary in metrics.items():
                package.define_metric(name, summary=summary)
        else:
            for arguments in metrics:
                package.define_metric(**arguments)
        if self.cfg is not None:
            package.config.update(config_values(self.cfg), allow_val_change=True)
            run.log_code(name=self._log_code_name)
        return package

    def add_config(self, config: Any, **kwargs: Any) -> None:
        """Record the config and the source.

        The config is there before a checkpoint is resumed, which tells which run to go on with; so
        the run starts with the first record after it.

        Args:
            config: The config.
            **kwargs: Ignored.
        """
        self._import()
        self.cfg = config
        if self._wandb is not None:
            self._send_config(config)

    def _send_config(self, config: Any) -> None:
        self._wandb.config.update(config_values(config), allow_val_change=True)

    @force_init_env
    def add_graph(self, model: Any, data_batch: Any, **kwargs: Any) -> None:
        """Watch the model.

        Args:
            model: The model.
            data_batch: Ignored.
            **kwargs: Ignored.
        """
        self._wandb.watch(model, **self._watch_kwargs)

    def _send_image(self, name: str, image: Any, step: int) -> None:
        self._send_scalars({name: self._wandb.Image(image)}, step)

    def _send_scalar(self, name: str, value: Any, step: int) -> None:
        self._send_scalars({name: value}, step)

    def _send_scalars(self, values: dict[str, Any], step: int) -> None:
        """Send a row; wandb drops what stands before its newest step."""
        iteration = MessageHub.get_current_instance().get_info("iter")
        at = step if iteration is None else max(step, iteration + 1)
        if at < self._resumed_step:
            return  # sent before the run was interrupted
        self._step = max(self._step, at)
        self._wandb.log(values, step=self._step)

    def _end(self) -> None:
        self._wandb.finish()
