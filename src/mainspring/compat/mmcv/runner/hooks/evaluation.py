"""Evaluation with the data set's own ``evaluate``, and keeping the best checkpoint."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from warnings import warn

import torch
from torch import nn
from torch.utils.data import DataLoader

from mainspring import fileio
from mainspring.compat.mmcv.runner.hooks.checkpoint import folder_of
from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.compat.mmcv.runner.hooks.logger.base import LoggerHook
from mainspring.dist import broadcast, collect_results, is_main_process
from mainspring.errors import ConfigError
from mainspring.hooks import metric_rule
from mainspring.hooks.best_checkpoint import as_names

__all__ = ["DistEvalHook", "EvalHook", "single_gpu_test"]


def single_gpu_test(model: nn.Module, data_loader: Any) -> list[Any]:
    """The results of a model, called with ``return_loss=False``, for the batches of a loader."""
    model.eval()
    results: list[Any] = []
    with torch.no_grad():
        for batch in data_loader:
            results.extend(model(return_loss=False, **batch))
    return results


def multi_gpu_test(
    model: nn.Module, data_loader: Any, tmpdir: str | None = None, gpu_collect: bool = False
) -> list[Any] | None:
    """The results of all processes on the first one, in the order of the data."""
    device = "gpu" if gpu_collect else "cpu"
    own = single_gpu_test(model, data_loader)
    return collect_results(own, len(data_loader.dataset), device, None if gpu_collect else tmpdir)


class EvalHook(Hook):
    """Evaluates every so often.

    Args:
        dataloader: Loader of the data, whose data set has ``evaluate(results, logger=, ...)``.
        start: From which epoch or iteration on; from the beginning by default.
        interval: After how many epochs or iterations.
        by_epoch: Whether `start` and `interval` count epochs.
        save_best: Metric by which the best checkpoint is kept; ``"auto"`` is the first one.
        rule: ``"greater"`` or ``"less"`` is better; told from the name by default.
        test_fn: ``test_fn(model, dataloader)`` gives the results.
        greater_keys: Names, and parts of names, of metrics where greater is better.
        less_keys: The same where less is better.
        out_dir: Another place than the work directory for the best checkpoint.
        file_client_args: Storage backend and its arguments.
        **eval_kwargs: Arguments of ``evaluate``.
    """

    def __init__(
        self,
        dataloader: Any,
        start: int | None = None,
        interval: int = 1,
        by_epoch: bool = True,
        save_best: str | None = None,
        rule: metric_rule.Rule | None = None,
        test_fn: Callable[..., Any] | None = None,
        greater_keys: str | Sequence[str] | None = None,
        less_keys: str | Sequence[str] | None = None,
        out_dir: str | None = None,
        file_client_args: dict[str, Any] | None = None,
        **eval_kwargs: Any,
    ) -> None:
        if not isinstance(dataloader, DataLoader):
            raise TypeError(f"dataloader must be a pytorch DataLoader, but got {type(dataloader)}")
        if interval <= 0:
            raise ConfigError(f"interval must be a positive number, but got {interval}")
        if start is not None and start < 0:
            raise ConfigError(f"The evaluation start epoch {start} is smaller than 0")
        if rule not in ("greater", "less", None):
            raise KeyError(f"rule must be greater, less or None, but got {rule}.")
        self.dataloader = dataloader
        self.start, self.interval, self.by_epoch = start, interval, by_epoch
        self.save_best, self.key_indicator = save_best, save_best
        self.test_fn: Callable[..., Any] = single_gpu_test if test_fn is None else test_fn
        self.greater_keys = as_names(greater_keys, metric_rule.GREATER_KEYS)
        self.less_keys = as_names(less_keys, metric_rule.LESS_KEYS)
        self.rule = rule
        if save_best not in (None, "auto") and rule is None:
            self.rule = metric_rule.infer_rule(str(save_best), self.greater_keys, self.less_keys)
        self.out_dir, self.file_client_args = out_dir, file_client_args
        self.eval_kwargs = eval_kwargs
        self.best_ckpt_path: str | None = None
        self.initial_flag = True

    def before_run(self, runner: Any) -> None:
        self.out_dir = folder_of(self.out_dir, runner)
        if self.save_best is not None:
            runner.meta = {} if runner.meta is None else runner.meta
            messages = runner.meta.setdefault("hook_msgs", {})
            self.best_ckpt_path = messages.get("best_ckpt")

    def before_train_iter(self, runner: Any) -> None:
        if not self.by_epoch:
            self._evaluate_first(runner, runner.iter)

    def before_train_epoch(self, runner: Any) -> None:
        if self.by_epoch:
            self._evaluate_first(runner, runner.epoch)

    def _evaluate_first(self, runner: Any, done: int) -> None:
        """Evaluate what is continued, where that began with an evaluation."""
        if self.initial_flag and self.start is not None and done >= self.start:
            act = self.after_train_epoch if self.by_epoch else self.after_train_iter
            act(runner)
        self.initial_flag = False

    def after_train_iter(self, runner: Any) -> None:
        if not self.by_epoch and self._should_evaluate(runner):
            for hook in runner.hooks:  # what was measured in training is logged before
                if isinstance(hook, LoggerHook):
                    hook.after_train_iter(runner)
            runner.log_buffer.clear()
            self._do_evaluate(runner)

    def after_train_epoch(self, runner: Any) -> None:
        if self.by_epoch and self._should_evaluate(runner):
            self._do_evaluate(runner)

    def _should_evaluate(self, runner: Any) -> bool:
        done = (runner.epoch if self.by_epoch else runner.iter) + 1
        first = self.interval if self.start is None else self.start
        return bool(done >= first and (done - first) % self.interval == 0)

    def _do_evaluate(self, runner: Any) -> None:
        self._finish(runner, self.test_fn(runner.model, self.dataloader))

    def _finish(self, runner: Any, results: Any) -> None:
        runner.log_buffer.output["eval_iter_num"] = len(self.dataloader)
        score = self.evaluate(runner, results)
        if self.save_best and score is not None:
            self._save_ckpt(runner, score)

    def evaluate(self, runner: Any, results: Any) -> float | None:
        """Put the metrics of results into the log; returns the one that tells the best."""
        dataset: Any = self.dataloader.dataset
        metrics = dataset.evaluate(results, logger=runner.logger, **self.eval_kwargs)
        runner.log_buffer.output.update(metrics)
        runner.log_buffer.ready = True
        if self.save_best is None:
            return None
        if not metrics:
            warn("there are no metrics, so none tells the best checkpoint", stacklevel=2)
            return None
        if self.key_indicator == "auto":
            self.key_indicator = next(iter(metrics))
            self.rule = self.rule or metric_rule.infer_rule(
                self.key_indicator, self.greater_keys, self.less_keys
            )
        return metric_rule.metric_value(metrics, str(self.key_indicator), "save_best")

    def _save_ckpt(self, runner: Any, score: float) -> None:
        number = (runner.epoch if self.by_epoch else runner.iter) + 1
        unit = "epoch" if self.by_epoch else "iter"
        messages = runner.meta["hook_msgs"]
        rule: Any = self.rule
        best = messages.get("best_score", metric_rule.worst_score(rule))
        if not metric_rule.is_better(score, best, rule):
            return
        if self.best_ckpt_path and fileio.isfile(self.best_ckpt_path, self.file_client_args):
            fileio.remove(self.best_ckpt_path, self.file_client_args)
            runner.logger.info(f"The previous best checkpoint {self.best_ckpt_path} was removed")
        name = f"best_{self.key_indicator}_{unit}_{number}.pth"
        self.best_ckpt_path = fileio.join_path(self.out_dir or "", name)
        messages.update(best_score=score, best_ckpt=self.best_ckpt_path)
        runner.save_checkpoint(self.out_dir, filename_tmpl=name, create_symlink=False)
        runner.logger.info(f"Now best checkpoint is saved as {name}.")
        runner.logger.info(f"Best {self.key_indicator} is {score:0.4f} at {number} {unit}.")


class DistEvalHook(EvalHook):
    """Evaluates every so often, in all processes together.

    Args:
        dataloader: As for `EvalHook`.
        broadcast_bn_buffer: Whether all take the statistics of batch norm of the first one.
        tmpdir: Where results are put together.
        gpu_collect: Whether results are sent between devices instead.
        **kwargs: As for `EvalHook`.
    """

    def __init__(
        self,
        dataloader: Any,
        *args: Any,
        broadcast_bn_buffer: bool = True,
        tmpdir: str | None = None,
        gpu_collect: bool = False,
        **kwargs: Any,
    ) -> None:
        kwargs["test_fn"] = kwargs.get("test_fn") or multi_gpu_test
        super().__init__(dataloader, *args, **kwargs)
        self.broadcast_bn_buffer = broadcast_bn_buffer
        self.tmpdir, self.gpu_collect = tmpdir, gpu_collect

    def _do_evaluate(self, runner: Any) -> None:
        if self.broadcast_bn_buffer:
            for module in runner.model.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    for statistic in (module.running_var, module.running_mean):
                        if statistic is not None:
                            broadcast(statistic)
        folder = self.tmpdir or os.path.join(runner.work_dir, ".eval_hook")
        results = self.test_fn(
            runner.model, self.dataloader, tmpdir=folder, gpu_collect=self.gpu_collect
        )
        if is_main_process():
            self._finish(runner, results)
