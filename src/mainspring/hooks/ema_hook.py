"""Keeps a moving average of the weights and evaluates with it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, overload

import torch
from torch import nn

from mainspring.checkpoint import load_state_dict, weights_to_cpu
from mainspring.config.words import Factory
from mainspring.dist import is_main_process
from mainspring.errors import ConfigError
from mainspring.hooks.hook import DATA_BATCH, Hook, Outputs
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.logging import warn
from mainspring.model import BaseAveragedModel, ExponentialMovingAverage, is_model_wrapper
from mainspring.registry import HOOKS, MODELS

__all__ = ["EMAHook"]

_MOST = 0.5
"""Share of the first weights in an average above which it hardly averages."""

OwnAverage: TypeAlias = Literal[
    "ExponentialMovingAverage", "MomentumAnnealingEMA", "StochasticWeightAverage"
]


@HOOKS.register_module()
class EMAHook(Hook):
    """Averages the weights during training; validation, test and checkpoints use the average.

    In a checkpoint, ``state_dict`` holds the averaged weights, ready for use, and
    ``ema_state_dict`` the weights that training goes on with, under ``module.``, plus ``steps``.
    Resuming puts both back in their places.

    Before the average begins it equals the weights, and nothing is copied for it.

    Attributes:
        src_model: The model that is trained, without wrapper.
        ema_model: The averaged model.

    Args:
        ema_type: The averaged model's class, or its name.
        strict_load: Whether the averaged weights must fit the model exactly when loaded.
        begin_iter: Iteration from which to average; not together with `begin_epoch`.
        begin_epoch: Epoch from which to average.
        priority: Place among the hooks of a point; by default that of the class.
        **kwargs: Arguments of the averaged model, such as ``momentum``, ``interval``,
            ``update_buffers``.

    Raises:
        ConfigError: Both beginnings are given, or one is negative.

    Example:
        >>> custom_hooks = [EMAHook(ema_type="MomentumAnnealingEMA", gamma=500, begin_epoch=1)]
    """

    @overload
    def __init__(
        self,
        ema_type: OwnAverage = "ExponentialMovingAverage",
        strict_load: bool = False,
        begin_iter: int = 0,
        begin_epoch: int = 0,
        *,
        momentum: float = 0.0002,
        gamma: int = 100,
        interval: int = 1,
        device: torch.device | None = None,
        update_buffers: bool = False,
        priority: int | str | Priority | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        ema_type: str | Factory[BaseAveragedModel],
        strict_load: bool = False,
        begin_iter: int = 0,
        begin_epoch: int = 0,
        *,
        priority: int | str | Priority | None = None,
        **kwargs: Any,
    ) -> None: ...
    def __init__(
        self,
        ema_type: str | Factory[BaseAveragedModel] = "ExponentialMovingAverage",
        strict_load: bool = False,
        begin_iter: int = 0,
        begin_epoch: int = 0,
        *,
        priority: int | str | Priority | None = None,
        **kwargs: Any,
    ) -> None:
        self._take_priority(priority)
        if begin_iter < 0 or begin_epoch < 0:
            raise ConfigError(f"EMAHook begins at {min(begin_iter, begin_epoch)}, before the start")
        if begin_iter and begin_epoch:
            raise ConfigError(
                f"EMAHook has begin_iter={begin_iter} and begin_epoch={begin_epoch}",
                help="give only one of them",
            )
        self.strict_load = strict_load
        self.begin_iter = begin_iter
        self.begin_epoch = begin_epoch
        self.ema_cfg: dict[str, Any] = {"type": ema_type, **kwargs}
        self.src_model: nn.Module
        self.ema_model: Any = None
        self._swapped = False

    def before_run(self, runner: Run) -> None:
        """Make the averaged model, unless training goes on with one."""
        if self.ema_model is None:
            self._make_average(runner)

    def start_anew(self) -> None:
        """Begin a new average."""
        self.ema_model = None

    def _make_average(self, runner: Run) -> None:
        model: Any = runner.model
        self.src_model = model.module if is_model_wrapper(model) else model
        self.ema_model = self.average_of(self.src_model)
        self._swapped = False

    def average_of(self, model: nn.Module) -> Any:
        """The averaged model that the hook describes.

        Args:
            model: What is averaged.
        """
        return MODELS.build(self.ema_cfg, default_args={"model": model})

    def before_train(self, runner: Run) -> None:
        """Check that the average begins before the training ends.

        Raises:
            ConfigError: It does not.
        """
        self.check_length(runner.max_epochs, runner.max_iters)
        self._warn_if_short(runner)

    def check_length(self, max_epochs: int, max_iters: int) -> None:
        """Check that the average begins before the training ends.

        Args:
            max_epochs: Epochs of the whole run.
            max_iters: Iterations of the whole run.

        Raises:
            ConfigError: It does not.
        """
        for name, begin, end in (
            ("begin_iter", self.begin_iter, max_iters),
            ("begin_epoch", self.begin_epoch, max_epochs),
        ):
            if begin > end:
                raise ConfigError(
                    f"EMAHook has {name}={begin}, but training ends at {end}",
                    help="let the average begin before training ends",
                )

    def _warn_if_short(self, runner: Run) -> None:
        """Say when the weights that the average begins with are most of it at the end."""
        kind = type(self.ema_model)
        if kind is not ExponentialMovingAverage or not 0 < runner.max_iters < math.inf:
            return
        per_epoch = runner.max_iters / max(runner.max_epochs, 1)
        begin = max(self.begin_iter, self.begin_epoch * per_epoch)
        updates = (runner.max_iters - begin) / self.ema_model.interval
        share = (1 - self.ema_model.momentum) ** updates
        if share > _MOST:
            fitting = min(1.0, 5 / max(updates, 1))
            runner.logger.warning(
                f"EMAHook: with momentum={self.ema_model.momentum} and {updates:.0f} updates in "
                f"this run, {share:.0%} of the average are the weights that it begins with: it "
                f"suits longer runs, and momentum={fitting:.2g} this one"
            )

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: DATA_BATCH = None, outputs: Outputs = None
    ) -> None:
        """Take the new weights into the average, which the first time becomes a copy of them."""
        if self._ema_started(runner):
            self.ema_model.update_parameters(self.src_model)

    def _ema_started(self, runner: Run) -> bool:
        """Whether the average begins in this iteration, or has begun."""
        return runner.iter + 1 >= self.begin_iter and runner.epoch + 1 >= self.begin_epoch

    def before_val_epoch(self, runner: Run) -> None:
        """Evaluate with the average."""
        if not self._swapped and self._has_average():
            self._swap_ema_parameters()

    def after_val_epoch(self, runner: Run, metrics: dict[str, Any] | None = None) -> None:
        """Exchange the weights again."""
        if self._has_average():
            self._swap_ema_parameters()

    before_test_epoch = before_val_epoch
    after_test_epoch = after_val_epoch

    def abandon(self, runner: Run, mode: str) -> None:
        """Go back to the trained weights, whatever ended the evaluation."""
        if self._swapped:
            self._swap_ema_parameters()

    def before_save_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Put the average into ``state_dict`` and the trained weights beside it."""
        if self.ema_model is None:
            return
        state_dict = checkpoint["state_dict"]
        if not self._has_average():
            state = {f"module.{key}": value for key, value in state_dict.items()}
            checkpoint["ema_state_dict"] = {"steps": self.ema_model.steps.detach().cpu(), **state}
            return
        average = self.ema_model.state_dict()
        checkpoint["ema_state_dict"] = weights_to_cpu(average) if is_main_process() else average
        if not self._swapped:
            self._swap_ema_state_dict(checkpoint)

    def after_load_checkpoint(self, runner: Run, checkpoint: dict[str, Any]) -> None:
        """Take the average out of a checkpoint."""
        if self.ema_model is None:
            self._make_average(runner)
        average: Any = self.ema_model
        if "ema_state_dict" in checkpoint and runner._resume:
            self._swap_ema_state_dict(checkpoint)
            load_state_dict(average, checkpoint["ema_state_dict"], strict=self.strict_load)
            return
        if runner._resume:
            warn("the checkpoint holds no averaged weights; the average begins with its weights")
        weights = checkpoint.get("state_dict", checkpoint)
        load_state_dict(average.module, weights, strict=self.strict_load)

    def _has_average(self) -> bool:
        return bool(self.ema_model.steps > 0)

    @torch.no_grad()
    def _swap_ema_parameters(self) -> None:
        """Exchange trained and averaged weights; before the average begins, it takes the weights.

        Hooks that MMEngine's users derive from this one call it, and `_swap_ema_state_dict`.
        """
        averaged, trained = self._tensors(self.ema_model.module), self._tensors(self.src_model)
        if not self._has_average():
            for average, weight in zip(averaged, trained, strict=True):
                average.data.copy_(weight.data)
            return
        for average, weight in zip(averaged, trained, strict=True):
            _exchange(average, weight)
        self._swapped = not self._swapped

    def _swap_ema_state_dict(self, checkpoint: dict[str, Any]) -> None:
        """Exchange trained and averaged weights in a checkpoint."""
        state_dict, ema_state_dict = checkpoint["state_dict"], checkpoint["ema_state_dict"]
        for key in state_dict:
            inner = f"module.{key}"
            if inner in ema_state_dict:
                state_dict[key], ema_state_dict[inner] = ema_state_dict[inner], state_dict[key]

    def _tensors(self, module: nn.Module) -> Iterator[torch.Tensor]:
        """What the average is taken of: parameters, and buffers if so configured."""
        if self.ema_model.update_buffers:
            return itertools.chain(module.parameters(), module.buffers())
        return module.parameters()


def _exchange(left: torch.Tensor, right: torch.Tensor) -> None:
    """Exchange the values of two tensors: their memory if it is alike, else by copying."""
    plain = type(left.data) is torch.Tensor and type(right.data) is torch.Tensor
    if plain and left.device == right.device and left.dtype == right.dtype:
        left.data, right.data = right.data, left.data
        return
    kept = left.detach().clone()
    left.data.copy_(right.data)
    right.data.copy_(kept)
