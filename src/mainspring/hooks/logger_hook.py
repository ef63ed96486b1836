"""Writes the log: lines for people, scalars for the visualizer, test metrics into a file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from mainspring import fileio
from mainspring.errors import ConfigError
from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.registry import HOOKS

__all__ = ["LoggerHook"]


@HOOKS.register_module()
class LoggerHook(Hook):
    """Collects what was recorded and logs it.

    Args:
        interval: Iterations between two log lines, counted within the epoch.
        ignore_last: Whether to leave out the iterations at an epoch's end that do not fill an
            interval; an epoch shorter than the interval is logged in any case.
        interval_exp_name: Iterations between two lines that name the experiment.
        out_dir: Directory to copy the logs to at the end of the run; a directory named like the
            work directory is made in it. May be a storage URI.
        out_suffix: Endings of the files to copy.
        keep_local: Whether files that were copied stay in the log directory.
        file_client_args: MMEngine's older spelling of `backend_args`.
        log_metric_by_epoch: Whether metrics are drawn over epochs rather than iterations;
            ``None`` follows the training loop.
        backend_args: Storage backend of `out_dir` and its arguments.
        priority: Place among the hooks of a point; by default that of the class.

    Raises:
        ConfigError: An argument makes no sense.
    """

    priority: int | str | Priority = "BELOW_NORMAL"

    def __init__(
        self,
        interval: int = 10,
        ignore_last: bool = True,
        interval_exp_name: int = 1000,
        out_dir: str | Path | None = None,
        out_suffix: Sequence[str] | str = (".json", ".log", ".py", "yaml"),
        keep_local: bool = True,
        file_client_args: dict[str, Any] | None = None,
        log_metric_by_epoch: bool | None = True,
        backend_args: dict[str, Any] | None = None,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        if priority is not None:
            self.priority = priority
        _check_interval("interval", interval)
        _check_interval("interval_exp_name", interval_exp_name)
        if out_dir is None and (file_client_args is not None or backend_args is not None):
            raise ConfigError(
                "LoggerHook: a storage backend is given without out_dir",
                help="say with out_dir where the logs are to be copied",
            )
        if file_client_args is not None and backend_args is not None:
            raise ConfigError("give either file_client_args or backend_args, not both")
        self.interval = interval
        self.ignore_last = ignore_last
        self.interval_exp_name = interval_exp_name
        self.out_dir = None if out_dir is None else str(out_dir)
        self.out_suffix = (out_suffix,) if isinstance(out_suffix, str) else tuple(out_suffix)
        self.keep_local = keep_local
        self.log_metric_by_epoch = log_metric_by_epoch
        self.backend_args = backend_args if backend_args is not None else file_client_args
        self.json_log_path = ""
        self._epoch_length: int | None = None

    def before_run(self, runner: Any) -> None:
        """Find out where to write.

        Args:
            runner: The runner of this run.
        """
        self.json_log_path = f"{runner.timestamp}.json"
        if self.out_dir is not None:
            name = os.path.basename(str(runner.work_dir).rstrip(os.sep))
            target = str(fileio.join_path(self.out_dir, name))
            runner.logger.info(f"Text logs will be saved to {target} after the run")

    def before_train_epoch(self, runner: Any) -> None:
        """Look up how long the epoch is, once rather than at every iteration.

        Args:
            runner: The runner of this run.
        """
        self._epoch_length = _length_of(runner.train_dataloader)

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Log the training, at the interval.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch.
            data_batch: What the loader gave.
            outputs: The logged values by name.
        """
        done = batch_idx + 1
        last = done == self._epoch_length
        if last or (runner.iter + 1) % self.interval_exp_name == 0:
            runner.logger.info(f"Exp name: {runner.experiment_name}")
        if done % self.interval and not (last and self._logs_rest_of(done)):
            return
        tag, text = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
        runner.logger.info(text)
        runner.visualizer.add_scalars(tag, step=runner.iter + 1, file_path=self.json_log_path)

    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Log the progress of validation, at the interval.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        if self.every_n_inner_iters(batch_idx, self.interval):
            _, text = runner.log_processor.get_log_after_iter(runner, batch_idx, "val")
            runner.logger.info(text)

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | None = None,
    ) -> None:
        """Log the progress of the test, at the interval.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its data set.
            data_batch: What the loader gave.
            outputs: What the model predicted.
        """
        if self.every_n_inner_iters(batch_idx, self.interval):
            _, text = runner.log_processor.get_log_after_iter(runner, batch_idx, "test")
            runner.logger.info(text)

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Log the metrics of a validation.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        tag, text = runner.log_processor.get_log_after_epoch(
            runner, len(runner.val_dataloader), "val"
        )
        runner.logger.info(text)
        runner.visualizer.add_scalars(
            tag, step=self._metric_step(runner), file_path=self.json_log_path
        )

    def after_test_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Log the metrics of a test and write them into the log directory.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        tag, text = runner.log_processor.get_log_after_epoch(
            runner, len(runner.test_dataloader), "test", with_non_scalar=True
        )
        runner.logger.info(text)
        fileio.dump(_as_json(tag), os.path.join(runner.log_dir, self.json_log_path))

    def after_run(self, runner: Any) -> None:
        """Close the visualizer and copy the logs, if asked to.

        Args:
            runner: The runner of this run.
        """
        runner.visualizer.close()
        if self.out_dir is None:
            return
        name = os.path.basename(str(runner.work_dir).rstrip(os.sep))
        for path in sorted(Path(runner.log_dir).rglob("*")):
            if not path.is_file() or not path.name.endswith(self.out_suffix):
                continue
            inside = path.relative_to(runner.log_dir).as_posix()
            target = str(fileio.join_path(self.out_dir, name, inside))
            fileio.put(path.read_bytes(), target, backend_args=self.backend_args)
            runner.logger.info(f"The file {path} has been uploaded to {target}.")
            if not self.keep_local:
                path.unlink()

    def _logs_rest_of(self, epoch_length: int) -> bool:
        return not self.ignore_last or epoch_length <= self.interval

    def _metric_step(self, runner: Any) -> int:
        """Epoch or iteration that metrics belong to; 0 when nothing was trained."""
        loop = runner._train_loop
        if loop is None or isinstance(loop, Mapping):
            return 0
        by_epoch = self.log_metric_by_epoch
        if by_epoch is None:
            by_epoch = getattr(loop, "by_epoch", True)
        return int(runner.epoch if by_epoch else runner.iter)


def _check_interval(name: str, value: Any) -> None:
    if not isinstance(value, int) or value <= 0:
        raise ConfigError(f"LoggerHook: {name} is {value!r}", help="give a whole number > 0")


def _length_of(loader: Any) -> int | None:
    try:
        return len(loader)
    except TypeError:
        return None


def _as_json(value: Any) -> Any:
    """Metrics with tensors and arrays turned into numbers and lists."""
    if isinstance(value, Mapping):
        return {str(key): _as_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item) for item in value]
    if hasattr(value, "tolist"):
        return value.tolist()
    return value
