"""Writes the log: lines and a table, scalars for the visualizer, test metrics into a file."""

from __future__ import annotations

import functools
import os
import textwrap
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from mainspring import fileio
from mainspring.checkpoint.store import chosen_backend
from mainspring.columns import as_number
from mainspring.dataset.any_loader import length_of
from mainspring.defaults import DEFAULTS
from mainspring.dist import is_main_process
from mainspring.errors import ConfigError, ConfigTypeError
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs, Predicted
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.hooks.run_table import RunTable, console_width, number_of
from mainspring.logging import IN_FILE, ON_TERMINAL
from mainspring.registry import HOOKS
from mainspring.structures.nested import as_plain

__all__ = ["LoggerHook"]

_INTERVAL = 10
_SECONDS_OF_PROGRESS = 1.0
_SUFFIXES = (".json", ".log", ".py", "yaml")

_ONE_OF_MANY = {"one_of_many": True, **IN_FILE}
"""Marks lines that the table stands for; where there is none, a terminal shows them at a pace that
can be read."""


@HOOKS.register_module()
class LoggerHook(Hook):
    """Collects what was recorded and logs it.

    Every line goes to the file of the log. Standard output gets a table with a row for each epoch
    or, where the training is counted in iterations, at most every ten seconds; with an `interval`
    it has a row for each log step.

    Attributes:
        table: The table of a training that is under way, on the main process.

    Args:
        interval: Iterations between two log lines, counted within the epoch; 10 by default, and at
            least a second between those that tell how far an evaluation is.
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

    Example:
        >>> default_hooks = dict(logger=LoggerHook(interval=50))
    """

    priority: int | str | Priority = "BELOW_NORMAL"

    def __init__(
        self,
        interval: int | None = None,
        ignore_last: bool = True,
        interval_exp_name: int = 1000,
        out_dir: str | Path | None = None,
        out_suffix: Sequence[str] | str = _SUFFIXES,
        keep_local: bool = True,
        file_client_args: dict[str, Any] | None = None,
        log_metric_by_epoch: bool | None = True,
        backend_args: dict[str, Any] | None = None,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        self._has_interval = interval is not None
        interval = _INTERVAL if interval is None else interval
        _check_interval("interval", interval)
        _check_interval("interval_exp_name", interval_exp_name)
        _check_type("ignore_last", ignore_last, bool, "True or False")
        _check_type("keep_local", keep_local, bool, "True or False")
        _check_type("out_dir", out_dir, str | Path | None, "a path")
        suffixes = (out_suffix,) if isinstance(out_suffix, str) else tuple(out_suffix)
        for suffix in suffixes:
            _check_type("out_suffix", suffix, str, "an ending of file names, or several")
        if out_dir is None and (file_client_args is not None or backend_args is not None):
            raise ConfigError(
                "LoggerHook: a storage backend is given without out_dir",
                help="say with out_dir where the logs are to be copied",
            )
        if out_dir is None:
            others = {"keep_local": not keep_local, "out_suffix": suffixes != _SUFFIXES}
            self._without_effect("without out_dir", **others)
        self.interval = interval
        self.ignore_last = ignore_last
        self.interval_exp_name = interval_exp_name
        self.out_dir = None if out_dir is None else str(out_dir)
        self.out_suffix = suffixes
        self.keep_local = keep_local
        self.log_metric_by_epoch = log_metric_by_epoch
        self.backend_args = chosen_backend(file_client_args, backend_args)
        self.json_log_path = ""
        self._epoch_length: int | None = -1
        self._progress_logged_at = 0.0
        self.table: RunTable | None = None

    def before_run(self, runner: Run) -> None:
        """Find out where to write."""
        self.json_log_path = f"{runner.timestamp}.json"
        if self.out_dir is not None:
            name = os.path.basename(str(runner.work_dir).rstrip(os.sep))
            target = str(fileio.join_path(self.out_dir, name))
            runner.logger.info(f"Text logs will be saved to {target} after the run")

    def before_train(self, runner: Run) -> None:
        """Begin the table."""
        if DEFAULTS.short_lines and is_main_process():
            self.table = RunTable(runner, every_step=self._has_interval)

    def before_train_epoch(self, runner: Run) -> None:
        """Look up how long the epoch is, once rather than at every iteration."""
        self._epoch_length = length_of(runner.train_dataloader)
        if self.table is not None:
            self.table.begin_epoch(runner)

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Log the training, at the interval."""
        if self._epoch_length == -1:
            self.before_train_epoch(runner)
        done = batch_idx + 1
        last = done == self._epoch_length
        if self.table is not None and self.table.is_waiting:
            self.table.flush(runner)
        if last or (runner.iter + 1) % self.interval_exp_name == 0:
            runner.logger.info(f"Exp name: {runner.experiment_name}", extra=IN_FILE)
        logs_rest = last and (not self.ignore_last or done <= self.interval)
        if done % self.interval and not logs_rest:
            return
        tag, text = runner.log_processor.get_log_after_iter(runner, batch_idx, "train")
        runner.logger.info(text, extra=_ONE_OF_MANY)
        self._draw(runner, "train", tag, tag)
        if self.table is not None:
            scalars = {_without("train", name): value for name, value in tag.items()}
            self.table.step(runner, scalars, is_last=last)

    def after_train_epoch(self, runner: Run) -> None:
        """Let the table have a row for the epoch."""
        if self.table is not None:
            self.table.end_epoch(runner)

    def after_train(self, runner: Run) -> None:
        """Show what the table has left."""
        if self.table is not None:
            self.table.end(runner)

    def abandon(self, runner: Run, mode: str) -> None:
        """Show what the table has left."""
        if mode == "train":
            self.after_train(runner)

    def after_val_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Log the progress of validation, at the interval."""
        self._log_progress(runner, batch_idx, "val")

    def after_test_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Predicted = None
    ) -> None:
        """Log the progress of the test, at the interval."""
        self._log_progress(runner, batch_idx, "test")

    def _log_progress(self, runner: Run, batch_idx: int, mode: Literal["val", "test"]) -> None:
        if not self.every_n_inner_iters(batch_idx, self.interval):
            return
        if not self._has_interval and DEFAULTS.short_lines:
            now = time.monotonic()
            if now - self._progress_logged_at < _SECONDS_OF_PROGRESS:
                return
            self._progress_logged_at = now
        _, text = runner.log_processor.get_log_after_iter(runner, batch_idx, mode)
        runner.logger.info(text, extra=_ONE_OF_MANY)

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Log the metrics of a validation."""
        tag, text = runner.log_processor.get_log_after_epoch(
            runner, _batches_of(runner, "val"), "val"
        )
        runner.logger.info(text, extra=IN_FILE)
        # Curves of training have the same names but count iterations.
        trained = runner.message_hub.log_scalars
        shown: dict[str, Any] = {}
        for name, value in tag.items():
            # What a metric is called is its author's choice, as in MMEngine.
            is_ours = "loss" in name or name in ("time", "data_time")
            is_apart = DEFAULTS.separate_curves and is_ours and f"train/{name}" in trained
            if not is_apart:
                shown[name] = value
            else:
                shown.setdefault(f"val_{name}", tag.get(f"val_{name}", value))
        self._draw(runner, "val", shown, tag)
        if self.table is not None and getattr(runner, "is_training", True):
            self.table.validated(runner, _metrics_of(shown, "val"))
        else:
            _show_metrics(runner, "val", shown)

    def after_test_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Log the metrics of a test and write them into the log directory."""
        tag, text = runner.log_processor.get_log_after_epoch(
            runner, _batches_of(runner, "test"), "test", with_non_scalar=True
        )
        runner.logger.info(text, extra=IN_FILE)
        _show_metrics(runner, "test", tag)
        fileio.dump(as_plain(tag), os.path.join(runner.log_dir, self.json_log_path))

    def after_run(self, runner: Run) -> None:
        """Close the visualizer and copy the logs, if asked to."""
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

    def _draw(
        self, runner: Run, mode: str, scalars: dict[str, Any], named: Mapping[str, Any]
    ) -> None:
        """Hand numbers to the visualizer, under both kinds of names where it takes them.

        Args:
            runner: The run.
            mode: ``"train"`` or ``"val"``.
            scalars: The numbers under MMEngine's names.
            named: The numbers under the names that their authors gave.
        """
        # Metrics belong to an epoch or iteration; to 0 where nothing was trained.
        iteration = step = runner.iter + (mode == "train")
        loop = runner._train_loop
        if mode == "val":
            by_epoch = self.log_metric_by_epoch
            if by_epoch is None:
                by_epoch = getattr(loop, "by_epoch", True)
            is_trained = not isinstance(loop, Mapping | None)
            step = int(runner.epoch if by_epoch else runner.iter) if is_trained else 0
        visualizer: Any = runner.visualizer
        if not DEFAULTS.short_lines or not hasattr(visualizer, "add_log"):
            visualizer.add_scalars(scalars, step=step, file_path=self.json_log_path)
            return
        tagged = {
            _tag(mode, name): value
            for name, value in named.items()
            if name not in ("epoch", "iter", "step")
        }
        if getattr(runner._train_loop, "by_epoch", False):
            tagged["epoch"] = runner.epoch + (mode == "train")
        visualizer.add_log(
            scalars, tagged, step=step, iteration=iteration, file_path=self.json_log_path
        )


def _check_interval(name: str, value: Any) -> None:
    _check_type(name, value, int, "a whole number > 0")
    if value <= 0:
        raise ConfigError(f"LoggerHook: {name} is {value!r}", help="give a whole number > 0")


def _check_type(name: str, value: Any, kinds: Any, expected: str) -> None:
    if not isinstance(value, kinds):
        raise ConfigTypeError(f"LoggerHook: {name} is {value!r}", help=f"give {expected}")


def _batches_of(runner: Run, mode: str) -> int:
    """Batches of an evaluation; of a stream, those that there were."""
    length = length_of(getattr(runner, f"{mode}_dataloader"))
    return int(getattr(runner, f"{mode}_loop").batches) if length is None else length


def _without(mode: str, name: str) -> str:
    return name.removeprefix(f"{mode}/")


@functools.lru_cache(maxsize=1024)
def _tag(mode: str, name: str) -> str:
    return f"{mode}/{_without(mode, name).removeprefix('val_')}"


def _metrics_of(tag: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """What an evaluation measured, without its times."""
    named = {_without(mode, name): value for name, value in tag.items()}
    return {
        name: value
        for name, value in named.items()
        if name.removeprefix("val_") not in ("time", "data_time")
    }


def _show_metrics(runner: Run, mode: str, tag: Mapping[str, Any]) -> None:
    """Show the metrics of an evaluation that is not part of a training."""
    if not DEFAULTS.short_lines:
        return
    numbers, others = [], []
    for name, value in _metrics_of(tag, mode).items():
        number = number_of(value)
        if number is not None:
            numbers.append(f"{name}\xa0{as_number(number)}")
        else:
            others.append(f"{name}\n{value}")
    head = textwrap.wrap("  ".join([mode, *numbers]), console_width(), subsequent_indent="      ")
    for line in [*head, *others]:
        runner.logger.info(line.replace("\xa0", " "), extra=ON_TERMINAL)
