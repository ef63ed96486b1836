"""Hooks of a few lines; for MMCV's users each has a module, such as ``mmcv.runner.hooks.ema``."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import torch

from mainspring import hooks
from mainspring.checkpoint.apply import unwrap
from mainspring.compat.mmcv.runner.dist_utils import allreduce_params
from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.dataset.any_loader import set_loader_epoch

__all__ = [
    "ClosureHook",
    "DistSamplerSeedHook",
    "EMAHook",
    "EmptyCacheHook",
    "IterTimerHook",
    "ProfilerHook",
    "SyncBuffersHook",
]


class ClosureHook(Hook):
    """Calls a function at a point.

    Args:
        fn_name: Name of the point.
        fn: The function, which gets the runner.
    """

    def __init__(self, fn_name: str, fn: Callable[[Any], Any]) -> None:
        if not hasattr(self, fn_name) or not callable(fn):
            raise AssertionError(f"{fn_name} is no point of a run, or {fn!r} no function")
        setattr(self, fn_name, fn)


class IterTimerHook(Hook):
    """Measures the time of iterations, and of waiting for data."""

    def before_epoch(self, runner: Any) -> None:
        self.t = time.time()

    def before_iter(self, runner: Any) -> None:
        runner.log_buffer.update({"data_time": time.time() - self.t})

    def after_iter(self, runner: Any) -> None:
        runner.log_buffer.update({"time": time.time() - self.t})
        self.t = time.time()


class DistSamplerSeedHook(Hook):
    """Tells the sampler of the data which epoch begins."""

    def before_epoch(self, runner: Any) -> None:
        set_loader_epoch(runner.data_loader, runner.epoch)


class SyncBuffersHook(Hook):
    """Averages buffers, such as statistics of batch norm, over the processes after each epoch.

    Args:
        distributed: Whether to.
    """

    def __init__(self, distributed: bool = True) -> None:
        self.distributed = distributed

    def after_epoch(self, runner: Any) -> None:
        if self.distributed:
            allreduce_params(runner.model.buffers())


class EmptyCacheHook(Hook):
    """Gives memory of CUDA devices back that is not in use.

    Args:
        before_epoch: Whether before each epoch.
        after_epoch: Whether after each epoch.
        after_iter: Whether after each iteration.
    """

    def __init__(
        self, before_epoch: bool = False, after_epoch: bool = True, after_iter: bool = False
    ) -> None:
        chosen = {"before_epoch": before_epoch, "after_epoch": after_epoch}
        for point, is_chosen in {**chosen, "after_iter": after_iter}.items():
            if is_chosen:
                setattr(self, point, lambda runner: torch.cuda.empty_cache())  # noqa: ARG005


class ProfilerHook(Hook):
    """Profiles the first epochs or iterations, as the engine's hook of this name does.

    Args:
        by_epoch: Whether `profile_iters` counts epochs.
        profile_iters: How many to profile.
        activities: ``"cpu"``, ``"cuda"`` or both.
        **options: Further arguments of `mainspring.hooks.ProfilerHook`.
    """

    def __init__(
        self,
        by_epoch: bool = True,
        profile_iters: int = 1,
        activities: Sequence[str] = ("cpu", "cuda"),
        **options: Any,
    ) -> None:
        options |= {f"activity_with_{name}": name in activities for name in ("cpu", "cuda")}
        own = hooks.ProfilerHook(by_epoch=by_epoch, profile_times=profile_iters, **options)
        points = {"before_run": own.before_train, "after_run": own.after_train}
        vars(self).update(points, after_train_epoch=own.after_train_epoch)
        self._engines = own

    def after_train_iter(self, runner: Any) -> None:
        self._engines.after_train_iter(runner, runner.iter)


class EMAHook(Hook):
    """Keeps an exponential average of the weights, with which the model is validated and saved.

    Args:
        momentum: Weight of the new weights.
        interval: After how many iterations the average is taken.
        warm_up: In how many iterations at the beginning new weights count for more.
        resume_from: Checkpoint that is continued once the averages are there.
    """

    def __init__(
        self,
        momentum: float = 0.0002,
        interval: Any = 1,
        warm_up: int = 100,
        resume_from: str | None = None,
    ) -> None:
        if not isinstance(interval, int) or interval <= 0 or not 0 < momentum < 1:
            raise AssertionError(f"momentum {momentum} and interval {interval} make no average")
        self.warm_up, self.interval, self.checkpoint = warm_up, interval, resume_from
        self.momentum = momentum**interval

    def before_run(self, runner: Any) -> None:
        model = unwrap(runner.model)
        self.model_parameters = dict(model.named_parameters())
        self.param_ema_buffer: dict[str, str] = {}
        for name, value in self.model_parameters.items():
            self.param_ema_buffer[name] = f"ema_{name.replace('.', '_')}"
            model.register_buffer(self.param_ema_buffer[name], value.data.clone())
        self.model_buffers = dict(model.named_buffers())
        if self.checkpoint is not None:
            runner.resume(self.checkpoint)

    def after_train_iter(self, runner: Any) -> None:
        if runner.iter % self.interval:
            return
        momentum = min(self.momentum, (1 + runner.iter) / (self.warm_up + runner.iter))
        for average, value in self._pairs():
            average.mul_(1 - momentum).add_(value.data, alpha=momentum)

    def before_train_epoch(self, runner: Any) -> None:
        self._swap_ema_parameters()

    def after_train_epoch(self, runner: Any) -> None:
        self._swap_ema_parameters()

    def _pairs(self) -> list[tuple[torch.Tensor, torch.nn.Parameter]]:
        return [
            (self.model_buffers[self.param_ema_buffer[name]], value)
            for name, value in self.model_parameters.items()
        ]

    def _swap_ema_parameters(self) -> None:
        for average, value in self._pairs():
            kept = value.data.clone()
            value.data.copy_(average)
            average.copy_(kept)
