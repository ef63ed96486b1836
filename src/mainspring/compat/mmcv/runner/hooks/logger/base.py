"""When MMCV's hooks log, and what."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
import torch

from mainspring.compat.mmcv.runner.hooks.hook import Hook

__all__ = ["LoggerHook"]


class LoggerHook(Hook):
    """Base of hooks that log; a derived class defines ``log(runner)``.

    Args:
        interval: After how many iterations.
        ignore_last: Whether fewer iterations at the end of an epoch are not logged.
        reset_flag: Whether what was logged is forgotten; set for the last of several such hooks.
        by_epoch: Whether iterations are counted in each epoch.
    """

    def __init__(
        self,
        interval: int = 10,
        ignore_last: bool = True,
        reset_flag: bool = False,
        by_epoch: bool = True,
    ) -> None:
        self.interval, self.by_epoch = interval, by_epoch
        self.ignore_last, self.reset_flag = ignore_last, reset_flag

    def log(self, runner: Any) -> Any:
        """Log what is in ``runner.log_buffer.output``."""
        raise NotImplementedError

    @staticmethod
    def is_scalar(val: Any, include_np: bool = True, include_torch: bool = True) -> bool:
        """Whether a value is one number."""
        return (
            isinstance(val, Number)
            or (include_np and isinstance(val, np.ndarray) and val.ndim == 0)
            or (include_torch and isinstance(val, torch.Tensor) and val.numel() == 1)
        )

    def get_mode(self, runner: Any) -> str:
        """``"train"``, or ``"val"`` where the numbers are those of an evaluation."""
        if runner.mode not in ("train", "val"):
            raise ValueError(f"runner mode should be 'train' or 'val', but got {runner.mode}")
        return "train" if runner.mode == "train" and "time" in runner.log_buffer.output else "val"

    def get_epoch(self, runner: Any) -> int:
        """The number of the epoch."""
        finished: int = runner.epoch
        return finished + int(runner.mode == "train")

    def get_iter(self, runner: Any, inner_iter: bool = False) -> int:
        """The number of the iteration, in its epoch or in all."""
        index: int = runner.inner_iter if self.by_epoch and inner_iter else runner.iter
        return index + 1

    def get_lr_tags(self, runner: Any) -> dict[str, float]:
        """The learning rates by name."""
        return _tags("learning_rate", runner.current_lr())

    def get_momentum_tags(self, runner: Any) -> dict[str, float]:
        """The momenta by name."""
        return _tags("momentum", runner.current_momentum())

    def get_loggable_tags(
        self,
        runner: Any,
        allow_scalar: bool = True,
        allow_text: bool = False,
        add_mode: bool = True,
        tags_to_skip: tuple[str, ...] = ("time", "data_time"),
    ) -> dict[str, Any]:
        """What there is to log, by name."""
        mode = f"{self.get_mode(runner)}/" if add_mode else ""
        tags = {
            f"{mode}{name}": value
            for name, value in runner.log_buffer.output.items()
            if name not in tags_to_skip
            and (allow_scalar or not self.is_scalar(value))
            and (allow_text or not isinstance(value, str))
        }
        return {**tags, **self.get_lr_tags(runner), **self.get_momentum_tags(runner)}

    def before_run(self, runner: Any) -> None:
        [hook for hook in runner.hooks if isinstance(hook, LoggerHook)][-1].reset_flag = True

    def before_epoch(self, runner: Any) -> None:
        runner.log_buffer.clear()

    def after_train_iter(self, runner: Any) -> None:
        every = self.every_n_inner_iters if self.by_epoch else self.every_n_iters
        if every(runner, self.interval) or (self.end_of_epoch(runner) and not self.ignore_last):
            runner.log_buffer.average(self.interval)
        self._log_ready(runner)

    def after_train_epoch(self, runner: Any) -> None:
        self._log_ready(runner)

    def after_val_epoch(self, runner: Any) -> None:
        runner.log_buffer.average()
        self._log_ready(runner)

    def _log_ready(self, runner: Any) -> None:
        if runner.log_buffer.ready:
            self.log(runner)
            if self.reset_flag:
                runner.log_buffer.clear_output()


def first_values(values: Any) -> Any:
    """The value of the first group; by name where there are several optimizers."""
    return {key: v[0] for key, v in values.items()} if isinstance(values, dict) else values[0]


def _tags(name: str, values: Any) -> dict[str, float]:
    first = first_values(values)
    if isinstance(first, dict):
        return {f"{name}/{key}": value for key, value in first.items()}
    return {name: first}
