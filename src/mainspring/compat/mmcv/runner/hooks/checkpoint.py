"""Writing checkpoints."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from typing import Any

from mainspring import fileio
from mainspring.compat.mmcv.runner.dist_utils import allreduce_params
from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.dist import is_main_process

__all__ = ["CheckpointHook"]


def folder_of(out_dir: str | None, runner: Any) -> str:
    """Where a hook writes: in the work directory, or in a folder of its name elsewhere."""
    if not out_dir or out_dir == runner.work_dir:
        return str(runner.work_dir)
    return fileio.join_path(out_dir, str(runner.work_dir).rstrip("/").rpartition("/")[2])


class CheckpointHook(Hook):
    """Writes a checkpoint every so often.

    Args:
        interval: After how many epochs or iterations; never by default.
        by_epoch: Whether `interval` counts epochs.
        save_optimizer: Whether to keep the state of the optimizer.
        out_dir: Another place than the work directory.
        max_keep_ckpts: How many of the latest are kept; all by default.
        save_last: Whether to write one at the end in any case.
        sync_buffer: Whether buffers are averaged over the processes before.
        file_client_args: Storage backend and its arguments.
        **kwargs: Arguments of the runner's ``save_checkpoint``, such as ``filename_tmpl``.
    """

    def __init__(
        self,
        interval: int = -1,
        by_epoch: bool = True,
        save_optimizer: bool = True,
        out_dir: str | None = None,
        max_keep_ckpts: int = -1,
        save_last: bool = True,
        sync_buffer: bool = False,
        file_client_args: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.interval, self.by_epoch, self.save_last = interval, by_epoch, save_last
        self.save_optimizer, self.sync_buffer = save_optimizer, sync_buffer
        self.out_dir, self.max_keep_ckpts, self.args = out_dir, max_keep_ckpts, kwargs
        self.file_client_args = file_client_args

    def before_run(self, runner: Any) -> None:
        self.out_dir = folder_of(self.out_dir, runner)
        runner.logger.info(f"Checkpoints will be saved to {self.out_dir}")

    def after_train_epoch(self, runner: Any) -> None:
        is_last = self.save_last and self.is_last_epoch(runner)
        if self.by_epoch and (self.every_n_epochs(runner, self.interval) or is_last):
            self._save(runner, runner.epoch + 1, "epoch")

    def after_train_iter(self, runner: Any) -> None:
        is_last = self.save_last and self.is_last_iter(runner)
        if not self.by_epoch and (self.every_n_iters(runner, self.interval) or is_last):
            self._save(runner, runner.iter + 1, "iter")

    def _save(self, runner: Any, number: int, unit: str) -> None:
        word = "epochs" if unit == "epoch" else "iterations"
        runner.logger.info(f"Saving checkpoint at {number} {word}")
        if self.sync_buffer:
            allreduce_params(runner.model.buffers())
        runner.note_ranks()
        if not is_main_process():
            return
        arguments = {"filename_tmpl": f"{unit}_{{}}.pth", **self.args}
        template = arguments["filename_tmpl"]
        runner.meta = {} if runner.meta is None else runner.meta
        path = fileio.join_path(self.out_dir or "", template.format(number))
        runner.meta.setdefault("hook_msgs", {})["last_ckpt"] = path
        runner.save_checkpoint(self.out_dir, save_optimizer=self.save_optimizer, **arguments)
        if self.max_keep_ckpts > 0:
            first = number - self.max_keep_ckpts * self.interval
            for old in range(first, 0, -self.interval):
                path = fileio.join_path(self.out_dir or "", template.format(old))
                if not fileio.isfile(path, self.file_client_args):
                    break
                fileio.remove(path, self.file_client_args)
