"""Writes checkpoints: at intervals, at the end, and whenever a metric is better than ever."""

from __future__ import annotations

import copy
import glob
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, Never

from mainspring import fileio
from mainspring.checkpoint import get_state_dict, record_latest_checkpoint
from mainspring.checkpoint.frozen import leave_out_frozen
from mainspring.checkpoint.latest import set_aside
from mainspring.checkpoint.store import chosen_backend, is_local_path, remove_leftovers
from mainspring.dist import is_main_process
from mainspring.errors import CheckpointError, ConfigError, did_you_mean
from mainspring.hooks.best_checkpoint import BestCheckpoint, BestCheckpoints, as_names, file_name
from mainspring.hooks.checkpoint_names import CheckpointNames
from mainspring.hooks.hook import DATA_BATCH, Outputs, is_nth
from mainspring.hooks.metric_rule import Rule
from mainspring.hooks.priority import Priority
from mainspring.hooks.publishing import publish
from mainspring.hooks.run import Run
from mainspring.logging import IN_FILE, warn
from mainspring.registry import HOOKS

__all__ = ["CheckpointHook"]

_DAY = 24 * 60 * 60

_OF_A_RUN = (
    "by_epoch", "out_dir", "filename_tmpl", "best", "last_ckpt", "keep_ckpt_ids", "_outdated_ids",
    "_directory", "_restored", "_to_renew", "_failure", "_reserves",
)  # fmt: skip
"""What a run finds out or remembers, and another run must not."""


@HOOKS.register_module()
class CheckpointHook(CheckpointNames):
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
        save_frozen: Whether parameters without gradient are saved. Without them, as for adapters
            (LoRA) on a large model, a checkpoint is loaded by a model that has the same ones.
        priority: Place among the hooks of a point; by default that of the class.
        **kwargs: Accepted for old configs and without effect, which is said in a warning; type
            checkers refuse them.

    Raises:
        ConfigError: An argument is misspelt or contradicts another one.

    Example:
        >>> hook = CheckpointHook(interval=1, max_keep_ckpts=2, save_best="accuracy/top1")
        >>> default_hooks = dict(checkpoint=hook)
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
        save_frozen: bool = True,
        priority: int | str | Priority | None = None,
        **kwargs: Never,
    ) -> None:
        self._take_priority(priority)
        names = [*inspect.signature(CheckpointHook).parameters][:-1]
        for name in kwargs:
            # Old configs pass some that no longer exist; a misspelt one must not pass for such.
            hint = did_you_mean(name, names)
            if hint is not None:
                raise ConfigError(f"CheckpointHook has no argument {name!r}", help=hint)
            self._without_effect("any more", **{name: True})
        chosen_backend(file_client_args, backend_args)
        if save_begin < 0:
            raise ConfigError(f"save_begin is {save_begin}", help="give 0 or more")
        if on_failure not in ("continue", "raise"):
            raise ConfigError(f"on_failure is {on_failure!r}", help="give 'continue' or 'raise'")
        keys = {"greater_keys": greater_keys is not None, "less_keys": less_keys is not None}
        if save_best is None:
            self._without_effect("without save_best", rule=rule is not None, **keys)
        elif rule is not None:
            self._without_effect("beside rule", **keys)
        if interval <= 0:
            several = {"max_keep_ckpts": max_keep_ckpts > 0, "save_begin": save_begin > 0}
            self._without_effect("without interval", **several)
        if not save_last and save_best is None:
            publishes = {"published_keys": published_keys is not None}
            self._without_effect("without save_last or save_best", **publishes)
        if interval == 0:
            warn("CheckpointHook: interval is 0, so none is saved at an interval; -1 says so")
        if max_keep_ckpts == 0:
            warn("CheckpointHook: max_keep_ckpts is 0, so all are kept; -1 says so")
        self.interval = interval
        self.by_epoch = by_epoch
        self.save_optimizer = save_optimizer
        self.save_param_scheduler = save_param_scheduler
        self.out_dir = None if out_dir is None else str(out_dir)
        self.max_keep_ckpts = max_keep_ckpts
        self.save_last = save_last
        self.save_best = save_best
        self.save_begin = save_begin
        try:
            str(filename_tmpl).format(0)
        except (IndexError, KeyError, ValueError):
            advice = "give a name with {} for the step: 'epoch_{}.pth'"
            raise ConfigError(f"filename_tmpl is {filename_tmpl!r}", help=advice) from None
        self.filename_tmpl = filename_tmpl
        self.file_client_args = file_client_args
        self.backend_args = backend_args
        self.published_keys = (
            [published_keys] if isinstance(published_keys, str) else published_keys
        )
        self.async_save = async_save
        self.on_failure = on_failure
        self.save_frozen = save_frozen
        self._frozen: dict[str, tuple[Any, str]] = {}
        self._reserves = async_save
        self._pending: tuple[str, Callable[[], None]] | None = None
        self._failure: BaseException | None = None
        self.best: BestCheckpoints | None = None
        self.greater_keys = as_names(greater_keys, self._default_greater_keys)
        self.less_keys = as_names(less_keys, self._default_less_keys)
        if save_best is not None:
            self.best = BestCheckpoints(save_best, rule, self.greater_keys, self.less_keys)
        self.last_ckpt: str | None = None
        self.keep_ckpt_ids: list[int] = []
        self._outdated_ids: list[int] = []
        self._directory: str | None = None
        self._restored: Mapping[str, Any] | None = None
        self._to_renew: tuple[int, dict[str, Any]] | None = None
        self._given: dict[str, Any] | None = None

    def start_anew(self) -> None:
        """Know of no checkpoint, and write where and as it was said at first."""
        if self._given is None:
            self._given = {name: copy.deepcopy(getattr(self, name)) for name in _OF_A_RUN}
        vars(self).update(copy.deepcopy(self._given))

    def abandon(self, runner: Run, mode: str) -> None:
        """Finish what is written in the background."""
        self._to_renew = None
        if mode == "train":
            self._finish(runner)

    def before_train(self, runner: Run) -> None:
        """Find out where to write, and what a resumed run already wrote."""
        if self.by_epoch is None:
            self.by_epoch = bool(getattr(runner.train_loop, "by_epoch", True))
        if self.filename_tmpl is None:
            self.filename_tmpl = "epoch_{}.pth" if self.by_epoch else "iter_{}.pth"
        self._directory = self._choose_directory(runner)
        self.out_dir = self._directory
        vars(self).pop("file_client", None)
        if self._restored is not None:
            self._remember(self._restored)
            # The process may have ended before it could remove them.
            self._remove_ordinary(runner, self._restored.get("outdated_ids", []))
            self._restored = None
        elif self.last_ckpt is None:
            # What a checkpoint of MMEngine remembers.
            hub = runner.message_hub
            last = hub.get_info("last_ckpt")
            self._remember(
                {
                    "last_ckpt": None if last is None else file_name(last),
                    "keep_ckpt_ids": hub.get_info("keep_ckpt_ids") or [],
                    "best": {} if self.best is None else self.best.state_in_hub(hub),
                }
            )
        if is_main_process() and is_local_path(self._directory):
            # Elsewhere than in the work directory other runs may be writing at this moment.
            own = self._directory == str(runner.work_dir).rstrip(os.sep)
            remove_leftovers(self._directory, older_than=0 if own else _DAY)
        runner.logger.info(f"Checkpoints will be saved to {self._directory}.", extra=IN_FILE)

    def after_train_epoch(self, runner: Run) -> None:
        """Write a checkpoint when the epoch asks for one (all ranks)."""
        if not self.by_epoch:
            return
        if self.every_n_epochs(runner, self.interval, self.save_begin) or (
            self.save_last and self.is_last_train_epoch(runner)
        ):
            step = runner.epoch + 1
            runner.logger.info(f"Saving checkpoint at {step} epochs", extra=IN_FILE)
            self._save(runner, step, {"epoch": step, "iter": runner.iter})

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Write a checkpoint when the iteration asks for one (all ranks)."""
        if self._reserves:
            self._reserves = False
            runner.reserve_for_saving()
        if self.by_epoch:
            return
        if self.every_n_train_iters(runner, self.interval, self.save_begin) or (
            self.save_last and self.is_last_train_iter(runner)
        ):
            step = runner.iter + 1
            runner.logger.info(f"Saving checkpoint at {step} iterations", extra=IN_FILE)
            self._save(runner, step, {"epoch": runner.epoch, "iter": step})

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Write the best checkpoints when scores are better than ever (all ranks).

        Validation outside of a training writes nothing.

        Raises:
            MetricError: A metric that `save_best` names was not computed.
        """
        if self.best is None:
            return
        if not metrics:
            runner.logger.warning("validation gave no metrics, so no best checkpoint is chosen")
            return
        if self._directory is None:
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

    def after_val(self, runner: Run) -> None:
        """Let an ordinary checkpoint follow the best one (all ranks).

        Not before now, when every hook has seen the metrics: what they remember of them is in the
        checkpoint.
        """
        if self._to_renew is not None:
            step, meta = self._to_renew
            self._to_renew = None
            self._save(runner, step, meta)

    def before_save_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Leave out what is not trained, if asked to."""
        if not self.save_frozen:
            own = get_state_dict(runner.model, keep_vars=True)
            leave_out_frozen(own, checkpoint, self._frozen)

    def after_train(self, runner: Run) -> None:
        """Finish writing, and publish the last and the best checkpoints, if asked to.

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
        best = [] if self.best is None else self.best.entries
        paths = [self.path_of(entry.file) for entry in best if entry.file is not None]
        if self.save_last and self.last_ckpt is not None:
            paths.insert(0, self.last_ckpt)
        for path in paths:
            said = publish(path, self.published_keys, self.backend_args or self.file_client_args)
            runner.logger.info(said)

    def state_dict(self) -> dict[str, Any]:
        """Which checkpoints exist; by file name, so that the directory may be moved."""
        return {
            "last_ckpt": None if self.last_ckpt is None else file_name(self.last_ckpt),
            "keep_ckpt_ids": list(self.keep_ckpt_ids),
            "outdated_ids": list(self._outdated_ids),
            "best": {} if self.best is None else self.best.state_dict(),
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; it counts from `before_train` on."""
        self._restored = state_dict

    def _remember(self, state: Mapping[str, Any]) -> None:
        last = state["last_ckpt"]
        self.last_ckpt = None if last is None else self.path_of(last)
        self.keep_ckpt_ids = list(state["keep_ckpt_ids"]) if self.max_keep_ckpts > 0 else []
        if self.best is not None:
            self.best.load_state_dict(state["best"])

    def _choose_directory(self, runner: Run) -> str:
        """The work directory, or one of its name below `out_dir`."""
        work_dir = str(runner.work_dir).rstrip(os.sep)
        if self.out_dir is None or self.out_dir.rstrip(os.sep) == work_dir:
            return work_dir
        if self._directory is not None:
            return self._directory
        return str(fileio.join_path(self.out_dir, os.path.basename(work_dir)))

    def _save(self, runner: Run, step: int, meta: dict[str, Any]) -> None:
        """Write an ordinary checkpoint, then remove those that are too many."""
        self._finish(runner)
        before = self.last_ckpt, self.keep_ckpt_ids
        file = str(self.filename_tmpl).format(step)
        path = self.path_of(file)
        kept, outdated = self.keep_ckpt_ids, list[int]()
        if self.max_keep_ckpts > 0:
            ids = [*(kept for kept in self.keep_ckpt_ids if kept != step), step]
            outdated, kept = ids[: -self.max_keep_ckpts], ids[-self.max_keep_ckpts :]
        self._count(runner, path, kept)
        self._outdated_ids = outdated

        def when_safe() -> None:
            record_latest_checkpoint(path, str(runner.work_dir))
            self._remove_ordinary(runner, outdated)

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

    def _count(self, runner: Run, last: str | None, kept: list[int]) -> None:
        """Take over which ordinary checkpoints there are."""
        self.last_ckpt, self.keep_ckpt_ids = last, kept
        if last is not None:
            runner.message_hub.update_info("last_ckpt", last)
        if self.max_keep_ckpts > 0:
            runner.message_hub.update_info("keep_ckpt_ids", list(kept))

    def _save_best(
        self, runner: Run, entry: BestCheckpoint, step: int, meta: dict[str, Any]
    ) -> None:
        """Write a best checkpoint, then remove the one that it beats."""
        assert self.best is not None
        self._finish(runner)
        previous = entry.file
        file = f"best_{entry.metric}_{str(self.filename_tmpl).format(step)}".replace("/", "_")
        entry.file = file
        hub = runner.message_hub
        hub.update_info(self.best.hub_key("best_score", entry), entry.score)
        hub.update_info(self.best.hub_key("best_ckpt", entry), self.path_of(file))
        unit = "epoch" if self.by_epoch else "iter"

        def when_safe() -> None:
            runner.logger.info(
                f"The best checkpoint with {entry.score:0.4f} {entry.metric} at {step} {unit} is "
                f"saved to {file}.",
                extra=IN_FILE,
            )
            if previous is not None and self._may_go(runner, previous):
                self._remove(self.path_of(previous))
                runner.logger.info(
                    f"The previous best checkpoint {self.path_of(previous)} is removed",
                    extra=IN_FILE,
                )
            if self._directory is not None and is_local_path(self._directory):
                pattern = f"best_{glob.escape(entry.metric.replace('/', '_'))}_*"
                for path in set_aside(pattern, self._directory, runner.work_dir):
                    warn(f"a best checkpoint of an earlier run was in the way; it is {path} now")

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
        runner: Run,
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
                self._directory or "",
                file,
                self.file_client_args,
                backend_args=self.backend_args,
                **settings,
            )
            if not self.async_save and is_main_process():
                when_safe()
        except Exception as error:  # noqa: BLE001 - a hook may refuse what would be saved
            self._failed(runner, file, undo, error)
        else:
            if not self.async_save:
                self._failure = None

    def _finish(self, runner: Run) -> None:
        """Wait for what is written in the background, and say if it could not be."""
        if self._pending is None:
            return
        (file, undo), self._pending = self._pending, None
        failure = runner.finish_saving()
        if failure is None:
            self._failure = None
        else:
            self._failed(runner, file, undo, failure)

    def _failed(
        self, runner: Run, file: str, undo: Callable[[], None], error: BaseException
    ) -> None:
        undo()
        if self.on_failure == "raise" or not isinstance(error, OSError):
            raise error
        self._failure = error
        runner.logger.error(
            f"{file} could not be written: {type(error).__name__}: {error}. Newest checkpoint: "
            f"{self.last_ckpt or 'none'}. Training goes on, and the next one is tried at its time."
        )

    def _remove_ordinary(self, runner: Run, steps: Sequence[int]) -> None:
        if is_main_process():
            for step in steps:
                file = str(self.filename_tmpl).format(step)
                if self._may_go(runner, file, step):
                    self._remove(self.path_of(file))

    def _may_go(self, runner: Run, file: str, step: int | None = None) -> bool:
        """Whether no checkpoint hook of the run that writes to the same directory keeps a file."""
        hooks = [hook for hook in getattr(runner, "hooks", []) if isinstance(hook, CheckpointHook)]
        return not any(
            hook._keeps(file, step) for hook in [self, *hooks] if hook._directory == self._directory
        )

    def _keeps(self, file: str, step: int | None) -> bool:
        steps = list(self.keep_ckpt_ids)
        if step is not None and self.max_keep_ckpts <= 0:
            steps += [step] if is_nth(step - self.save_begin, self.interval) else []
        names = {str(self.filename_tmpl).format(kept) for kept in steps}
        names |= {entry.file or "" for entry in ([] if self.best is None else self.best.entries)}
        return file in names or (self.last_ckpt is not None and file == file_name(self.last_ckpt))
