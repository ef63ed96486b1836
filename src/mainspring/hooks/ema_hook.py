"""Keeps a moving average of the weights and evaluates with it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias, overload

import torch
from torch import nn

from mainspring.checkpoint import load_state_dict, weights_to_cpu
from mainspring.config.words import Factory
from mainspring.errors import ConfigError
from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.logging import print_log
from mainspring.model import BaseAveragedModel, is_model_wrapper
from mainspring.registry import HOOKS, MODELS

__all__ = ["EMAHook"]

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
    """

    priority: int | str | Priority = "NORMAL"

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
        if priority is not None:
            self.priority = priority
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
        self.ema_model: Any
        self._swapped = False
        self._averages_now = False

    def before_run(self, runner: Any) -> None:
        """Make the averaged model.

        Args:
            runner: The runner of this run.
        """
        model = runner.model
        self.src_model = model.module if is_model_wrapper(model) else model
        self.ema_model = MODELS.build(self.ema_cfg, default_args={"model": self.src_model})
        self._swapped = self._averages_now = False

    def before_train(self, runner: Any) -> None:
        """Check that the average begins before the training ends.

        Args:
            runner: The runner of this run.

        Raises:
            ConfigError: It does not.
        """
        for name, begin, end in (
            ("begin_iter", self.begin_iter, runner.max_iters),
            ("begin_epoch", self.begin_epoch, runner.max_epochs),
        ):
            if begin > end:
                raise ConfigError(
                    f"EMAHook has {name}={begin}, but training ends at {end}",
                    help="let the average begin before training ends",
                )

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: dict[str, Any] | None = None,
    ) -> None:
        """Take the new weights into the average, which the first time becomes a copy of them.

        Args:
            runner: The runner of this run.
            batch_idx: Index of the batch in its epoch.
            data_batch: What the loader gave.
            outputs: The logged values by name.
        """
        if not self._averages_now:
            if runner.iter + 1 < self.begin_iter or runner.epoch + 1 < self.begin_epoch:
                return
            self._averages_now = True
        self.ema_model.update_parameters(self.src_model)

    def before_val_epoch(self, runner: Any) -> None:
        """Evaluate with the average.

        Args:
            runner: The runner of this run.
        """
        self._use_average()

    def after_val_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Go back to the trained weights.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        self._use_trained_weights()

    def before_test_epoch(self, runner: Any) -> None:
        """Test with the average.

        Args:
            runner: The runner of this run.
        """
        self._use_average()

    def after_test_epoch(self, runner: Any, metrics: dict[str, Any] | None = None) -> None:
        """Go back to the trained weights.

        Args:
            runner: The runner of this run.
            metrics: The metrics by name.
        """
        self._use_trained_weights()

    def before_save_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Put the average into ``state_dict`` and the trained weights beside it.

        Args:
            runner: The runner of this run.
            checkpoint: What will be written.
        """
        state_dict = checkpoint["state_dict"]
        if not self._has_average():
            state = {f"module.{key}": value for key, value in state_dict.items()}
            checkpoint["ema_state_dict"] = {"steps": self.ema_model.steps.detach().cpu(), **state}
            return
        checkpoint["ema_state_dict"] = weights_to_cpu(self.ema_model.state_dict())
        if not self._swapped:
            _swap_entries(checkpoint)

    def after_load_checkpoint(self, runner: Any, checkpoint: dict[str, Any]) -> None:
        """Take the average out of a checkpoint.

        Args:
            runner: The runner of this run.
            checkpoint: What was read; when resuming, its ``state_dict`` becomes the trained
                weights.
        """
        if "ema_state_dict" in checkpoint and runner._resume:
            _swap_entries(checkpoint)
            load_state_dict(self.ema_model, checkpoint["ema_state_dict"], strict=self.strict_load)
            return
        if runner._resume:
            print_log(
                "the checkpoint holds no averaged weights; the average begins with its weights",
                logger="current",
            )
        weights = checkpoint.get("state_dict", checkpoint)
        load_state_dict(self.ema_model.module, weights, strict=self.strict_load)

    def _has_average(self) -> bool:
        return bool(self.ema_model.steps > 0)

    def _use_average(self) -> None:
        if not self._swapped and self._has_average():
            self._swap()

    def _use_trained_weights(self) -> None:
        if self._swapped:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for average, trained in zip(
            self._tensors(self.ema_model.module), self._tensors(self.src_model), strict=True
        ):
            _exchange(average, trained)
        self._swapped = not self._swapped

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


def _swap_entries(checkpoint: dict[str, Any]) -> None:
    """Exchange trained and averaged weights in a checkpoint."""
    state_dict, ema_state_dict = checkpoint["state_dict"], checkpoint["ema_state_dict"]
    for key in state_dict:
        inner = f"module.{key}"
        if inner in ema_state_dict:
            state_dict[key], ema_state_dict[inner] = ema_state_dict[inner], state_dict[key]
