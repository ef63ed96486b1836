"""Writes checkpoints: at intervals, at the end, and whenever a metric is better than ever."""

from __future__ import annotations

import hashlib
import io
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Never

import torch

from mainspring import fileio
from mainspring.checkpoint import CheckpointLoader, record_latest_checkpoint
from mainspring.checkpoint.store import is_local_path, remove_leftovers
from mainspring.dist import is_main_process
from mainspring.errors import CheckpointError, ConfigError, did_you_mean
from mainspring.hooks.best_checkpoint import BestCheckpoint, BestCheckpoints, file_name
from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.metric_rule import Rule
from mainspring.hooks.priority import Priority
from mainspring.logging import print_log
from mainspring.registry import HOOKS

__all__ = ["CheckpointHook"]


@HOOKS.register_module()
class CheckpointHook(Hook):
    """Writes checkpoints of a training.

    Best checkpoints are independent of the others: ``interval=-1, save_last=False,
    save_best="acc"`` keeps nothing but the best. They hold weights without optimizer and
    schedulers. Whenever a best one is written and ordinary ones exist, an ordinary one of the same
    step follows, so that a resumed run knows of it.

    Args:
        interval: Epochs or iterations between two checkpoints; -1 for none.
        by_epoch: Whether to count epochs; ``None`` counts what the training loop counts.
        save_optimizer: Whether ordinary checkpoints hold the optimizer's state.
        save_param_scheduler: Whether ordinary checkpoints hold the schedulers' states.
        out_dir: Directory under which a directory named like the work directory is used; the work
            directory itself by default. May be a storage URI.
        max_keep_ckpts: How many ordinary checkpoints to keep; -1 for all. An old one is removed
            once its successor is written.
        save_last: Whether to write one after the last epoch or iteration in any case.
        save_best: Metric, or list of metrics, whose best checkpoint is kept; ``"auto"`` is the
            first metric of the first validation.
        rule: ``"greater"`` or ``"less"``, for all metrics or each; inferred from names by default.
        greater_keys: Names and parts of names of metrics where greater is better; replaces the
            built-in list.
        less_keys: The same for metrics where less is better.
        file_client_args: MMEngine's older spelling of `backend_args`.
        filename_tmpl: File name with ``{}`` for the step; ``epoch_{}.pth`` or ``iter_{}.pth`` by
            default.
        backend_args: Storage backend and its arguments, see `mainspring.fileio`.
        published_keys: Keys of a checkpoint, or one, that are kept in the copy which is published
            at the end of training, named with the first digits of its SHA-256 digest.
        save_begin: First epoch or iteration that may be saved at an interval.
        async_save: Whether to write in the background: training waits only until its state is
            copied in memory, which takes as much memory as the state.
        on_failure: What to do when the storage refuses a checkpoint, being full for example:
            ``"continue"`` says so, keeps the earlier one and tries again at the next interval, and
            the end of training raises if the last one is missing; ``"raise"`` stops at once.
        priority: Place among the hooks of a point; by default that of the class.
        **kwargs: Accepted for old configs and without effect, which is said in a warning; type
            checkers refuse them.

    Raises:
        ConfigError: An argument is misspelt or contradicts another one.
    """

    priority: int | str | Priority = "VERY_LOW"

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool | None = True,
        save_optimizer: bool = True,
        save_param_scheduler: bool = True,
        out_dir: str | Path | None = None,
        max_keep_ckpts: int = -1,
        save_last: bool = True,
        save_best: str | Sequence[str] | None = None,
        rule: Rule | Sequence[Rule] | None = None,
        greater_keys: Sequence[str] | None = None,
        less_keys: Sequence[str] | None = None,
        file_client_args: dict[str, Any] | None = None,
        filename_tmpl: str | None = None,
        backend_args: dict[str, Any] | None = None,
        published_keys: str | Sequence[str] | None = None,
        save_begin: int = 0,
        *,
        async_save: bool = False,
        on_failure: Literal["continue", "raise"] = "continue",
        priority: int | str | Priority | None = None,
        **kwargs: Never,
    ) -> None:
        if priority is not None:
            self.priority = priority
        _warn_ineffective(kwargs)
        if file_client_args is not None and backend_args is not None:
            raise ConfigError("give either file_client_args or backend_args, not both")
        if save_begin < 0:
            raise ConfigError(f"save_begin is {save_begin}", help="give 0 or more")
        if on_failure not in ("continue", "raise"):
            raise ConfigError(f"on_failure is {on_failure!r}", help="give 'continue' or 'raise'")
        if rule is not None and save_best is None:
            _warn("rule has no effect without save_best")
        self.interval = interval
        self.by_epoch = by_epoch
        self.save_optimizer = save_optimizer
        self.save_param_scheduler = save_param_scheduler
        self.out_dir = None if out_dir is None else str(out_dir)
        self.max_keep_ckpts = max_keep_ckpts
        self.save_last = save_last
        self.save_best = save_best
        self.save_begin = save_begin
        self.filename_tmpl = filename_tmpl
        self.file_client_args = file_client_args
        self.backend_args = backend_args
        self.published_keys = (
            [published_keys] if isinstance(published_keys, str) else published_keys
        )
        self.async_save = async_save
        self.on_failure = on_failure
        self._reserves = async_save
        self._pending: tuple[str, Callable[[], None]] | None = None
        self._failure: BaseException | None = None
        self.best: BestCheckpoints | None = None
        if save_best is not None:
            self.best = BestCheckpoints(save_best, rule, greater_keys, less_keys)
        self.last_ckpt: str | None = None
        self.keep_ckpt_ids: list[int] = []
        self._outdated_ids: list[int] = []
        self._directory: str | None = None
        self._restored: Mapping[str, Any] | None = None
        self._to_renew: tuple[int, dict[str, Any]] | None = None

    def before_train(self, runner: Any) -> None:
        """Find out where to write, and what a resumed run already wrote.

        Args:
            runner: The runner of this run.
        """
        if self.by_epoch is None:
            self.by_epoch = bool(getattr(runner.train_loop, "by_epoch", True))
        if self.filename_tmpl is None:
            self.filename_tmpl = "epoch_{}.pth" if self.by_epoch else "iter_{}.pth"
        self._directory = self._choose_directory(runner)
        self.out_dir = self._directory
        if self._restored is not None:
            self._remember(self._restored)
            # The process may have ended before it could remove them.
            self._remove_ordinary(self._restored.get("outdated_ids", []))
            self._restored = None
        else:
            self._remember(self._state_in_hub(runner.message_hub))
        if is_main_process() and is_local_path(self._directory):
            remove_leftovers(self._directory)
        runner.logger.info(f"Checkpoints will be saved to {self._directory}.")

    def after_train_epoch(self, runner: Any) -> None:
        """Write a checkpoint when the epoch asks for one (all ranks).

        Args:
            runner: The runner of this run.
        """
        if not self.by_epoch:
            return
        if self.every_n_epochs(runner, self.interval, self.save_begin) or (
            self.save_last and self.is_last_train_epoch(runner)
        ):
            step = runner.epoch + 1
            runner.logger.info(f"Saving checkpoint at {step} epochs")
            self._save(runner, step, {"epoch": step, "iter": runner.iter})

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Write a checkpoint when the iteration asks for one (all ranks).

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch.
            data_batch: What the loader gave.
            outputs: The logged values by name.
        """
        if self._reserves:
            self._reserves = False
            runner.reserve_for_saving()
        if self.by_epoch:
            return
        if self.every_n_train_iters(runner, self.interval, self.save_begin) or (
            self.save_last and self.is_last_train_iter(runner)
        ):
            step = runner.iter + 1
            runner.logger.info(f"Saving checkpoint at {step} iterations")
            self._save(runner, step, {"epoch": runner.epoch, "iter": step})

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Write the best checkpoints when scores are better than ever (all ranks).

        Validation outside of a training writes nothing.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.

        Raises:
            MetricError: A metric that `save_best` names was not computed.
        """
        if self.best is None or self._directory is None:
            return
        if not metrics:
            runner.logger.warning("validation gave no metrics, so no best checkpoint is chosen")
            return
        improved = self.best.improved_by(metrics)
        if not improved:
            return
        step = runner.epoch if self.by_epoch else runner.iter
        meta = {"epoch": runner.epoch, "iter": runner.iter}
        for entry in improved:
            self._save_best(runner, entry, step, meta)
        if self.last_ckpt is not None:
            self._to_renew = (step, meta)

    def after_val(self, runner: Any) -> None:
        """Let an ordinary checkpoint follow the best one (all ranks).

        Not before now, when every hook has seen the metrics: what they remember of them is in the
        checkpoint.

        Args:
            runner: The runner of this run.
        """
        if self._to_renew is not None:
            step, meta = self._to_renew
            self._to_renew = None
            self._save(runner, step, meta)

    def after_train(self, runner: Any) -> None:
        """Finish writing, and publish the last and the best checkpoints, if asked to.

        Args:
            runner: The runner of this run.

        Raises:
            CheckpointError: The last checkpoint could not be written.
        """
        self._finish(runner)
        if self._failure is not None:
            raise CheckpointError(
                f"the last checkpoint of this training could not be written: {self._failure}",
                help="none was written before"
                if self.last_ckpt is None
                else f"the newest one is {self.last_ckpt}; resume=True trains the rest again",
            ) from self._failure
        if self.published_keys is None or not is_main_process():
            return
        if self.save_last and self.last_ckpt is not None:
            self._publish(runner, self.last_ckpt)
        for entry in self.best.entries if self.best is not None else []:
            if entry.file is not None:
                self._publish(runner, self._path_of(entry.file))

    def state_dict(self) -> dict[str, Any]:
        """Which checkpoints exist; by file name, so that the directory may be moved."""
        return {
            "last_ckpt": None if self.last_ckpt is None else file_name(self.last_ckpt),
            "keep_ckpt_ids": list(self.keep_ckpt_ids),
            "outdated_ids": list(self._outdated_ids),
            "best": {} if self.best is None else self.best.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; it counts from `before_train` on.

        Args:
            state_dict: The state of this hook in a checkpoint.
        """
        self._restored = state_dict

    def _remember(self, state: Mapping[str, Any]) -> None:
        last = state["last_ckpt"]
        self.last_ckpt = None if last is None else self._path_of(last)
        self.keep_ckpt_ids = list(state["keep_ckpt_ids"]) if self.max_keep_ckpts > 0 else []
        if self.best is not None:
            self.best.load_state_dict(state["best"])

    def _state_in_hub(self, hub: Any) -> dict[str, Any]:
        """What a checkpoint of MMEngine remembers in its message hub."""
        last = hub.get_info("last_ckpt")
        return {
            "last_ckpt": None if last is None else file_name(last),
            "keep_ckpt_ids": list(hub.get_info("keep_ckpt_ids") or []),
            "best": {} if self.best is None else self.best.state_in_hub(hub),
        }

    def _choose_directory(self, runner: Any) -> str:
        """The work directory, or one of its name below `out_dir`."""
        work_dir = str(runner.work_dir).rstrip(os.sep)
        if self.out_dir is None or self.out_dir.rstrip(os.sep) == work_dir:
            return work_dir
        if self._directory is not None:
            return self._directory
        return str(fileio.join_path(self.out_dir, os.path.basename(work_dir)))

    def _path_of(self, file: str) -> str:
        return str(fileio.join_path(self._directory or "", file))

    def _save(self, runner: Any, step: int, meta: dict[str, Any]) -> None:
        """Write an ordinary checkpoint, then remove those that are too many."""
        self._finish(runner)
        before = self.last_ckpt, self.keep_ckpt_ids
        file = str(self.filename_tmpl).format(step)
        path = self._path_of(file)
        kept, outdated = self.keep_ckpt_ids, list[int]()
        if self.max_keep_ckpts > 0:
            ids = [*(kept for kept in self.keep_ckpt_ids if kept != step), step]
            outdated, kept = ids[: -self.max_keep_ckpts], ids[-self.max_keep_ckpts :]
        self._count(runner, path, kept)
        self._outdated_ids = outdated

        def when_safe() -> None:
            record_latest_checkpoint(path, str(runner.work_dir))
            self._remove_ordinary(outdated)

        self._write(
            runner,
            file,
            when_safe,
            undo=lambda: self._count(runner, *before),
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
        )

    def _count(self, runner: Any, last: str | None, kept: list[int]) -> None:
        """Take over which ordinary checkpoints there are."""
        self.last_ckpt, self.keep_ckpt_ids = last, kept
        if last is not None:
            runner.message_hub.update_info("last_ckpt", last)
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info("keep_ckpt_ids", list(kept))

    def _save_best(
        self, runner: Any, entry: BestCheckpoint, step: int, meta: dict[str, Any]
    ) -> None:
        """Write a best checkpoint, then remove the one that it beats."""
        assert self.best is not None
        self._finish(runner)
        previous = entry.file
        file = f"best_{entry.metric}_{str(self.filename_tmpl).format(step)}".replace("/", "_")
        entry.file = file
        hub = runner.message_hub
        hub.update_info(self.best.hub_key("best_score", entry), entry.score)
        hub.update_info(self.best.hub_key("best_ckpt", entry), self._path_of(file))
        unit = "epoch" if self.by_epoch else "iter"

        def when_safe() -> None:
            runner.logger.info(
                f"The best checkpoint with {entry.score:0.4f} {entry.metric} at {step} {unit} is "
                f"saved to {file}."
            )
            if previous is not None and previous != file:
                self._remove(self._path_of(previous))
                runner.logger.info(
                    f"The previous best checkpoint {self._path_of(previous)} is removed"
                )

        def undo() -> None:
            entry.file = previous

        self._write(
            runner,
            file,
            when_safe,
            undo=undo,
            save_optimizer=False,
            save_param_scheduler=False,
            meta=meta,
            by_epoch=False,
        )

    def _write(
        self,
        runner: Any,
        file: str,
        when_safe: Callable[[], None],
        undo: Callable[[], None],
        **settings: Any,
    ) -> None:
        """Have a checkpoint written; `when_safe` is called on the main process once it is."""
        if self.async_save:
            settings |= {"async_save": True, "then": when_safe}
            self._pending = (file, undo)
        try:
            runner.save_checkpoint(
                self._directory,
                file,
                self.file_client_args,
                backend_args=self.backend_args,
                **settings,
            )
            if not self.async_save and is_main_process():
                when_safe()
        except OSError as error:
            self._failed(runner, file, undo, error)
        else:
            if not self.async_save:
                self._failure = None

    def _finish(self, runner: Any) -> None:
        """Wait for what is written in the background, and say if it could not be."""
        if self._pending is None:
            return
        (file, undo), self._pending = self._pending, None
        failure = runner.finish_saving()
        if failure is None:
            self._failure = None
        elif isinstance(failure, OSError):
            self._failed(runner, file, undo, failure)
        else:
            raise failure

    def _failed(
        self, runner: Any, file: str, undo: Callable[[], None], error: BaseException
    ) -> None:
        undo()
        if self.on_failure == "raise":
            raise error
        self._failure = error
        runner.logger.error(
            f"{file} could not be written: {type(error).__name__}: {error}. Newest checkpoint: "
            f"{self.last_ckpt or 'none'}. Training goes on, and the next one is tried at its time."
        )

    def _remove_ordinary(self, steps: Sequence[int]) -> None:
        if is_main_process():
            for step in steps:
                self._remove(self._path_of(str(self.filename_tmpl).format(step)))

    def _remove(self, path: str) -> None:
        backend_args = self.backend_args or self.file_client_args
        if fileio.exists(path, backend_args=backend_args):
            fileio.remove(path, backend_args=backend_args)

    def _publish(self, runner: Any, path: str) -> None:
        """Write a copy with the published keys only, named by its content."""
        checkpoint = CheckpointLoader.load_checkpoint(path, map_location="cpu", logger="silent")
        keys = self.published_keys or []
        dropped = [key for key in checkpoint if key not in keys]
        buffer = io.BytesIO()
        torch.save({key: checkpoint[key] for key in checkpoint if key in keys}, buffer)
        content = buffer.getvalue()
        digest = hashlib.sha256(content).hexdigest()[:8]
        published = f"{path.removesuffix('.pth')}-{digest}.pth"
        fileio.put(content, published, backend_args=self.backend_args or self.file_client_args)
        runner.logger.info(
            f"The checkpoint ({file_name(path)}) is published to {published}, without "
            f"{', '.join(dropped) or 'leaving anything out'}."
        )


def _warn_ineffective(kwargs: Mapping[str, Any]) -> None:
    """Old configs pass arguments that no longer exist; a misspelt one must not pass for such."""
    names = [
        "interval", "by_epoch", "save_optimizer", "save_param_scheduler", "out_dir",
        "max_keep_ckpts", "save_last", "save_best", "rule", "greater_keys", "less_keys",
        "file_client_args", "filename_tmpl", "backend_args", "published_keys", "save_begin",
        "async_save", "on_failure", "priority",
    ]  # fmt: skip
    for name in kwargs:
        hint = did_you_mean(name, names)
        if hint is not None:
            raise ConfigError(f"CheckpointHook has no argument {name!r}", help=hint)
        _warn(f"the argument {name!r} has no effect")


def _warn(message: str) -> None:
    print_log(f"CheckpointHook: {message}", logger="current", level=logging.WARNING)
