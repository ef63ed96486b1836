"""Steps of the optimizer: each iteration or several together, in single or in half precision."""

# ruff: noqa: D102 - what a method does that overrides another, the other one says

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import nn

from mainspring.compat.mmcv.runner.fp16_utils import wrap_fp16_model
from mainspring.compat.mmcv.runner.hooks.hook import Hook
from mainspring.device import get_device
from mainspring.errors import ConfigError
from mainspring.model import detect_anomalous_params

__all__ = [
    "Fp16OptimizerHook",
    "GradientCumulativeFp16OptimizerHook",
    "GradientCumulativeOptimizerHook",
    "OptimizerHook",
]


class OptimizerHook(Hook):
    """Steps the optimizer after each iteration.

    Args:
        grad_clip: Arguments of `torch.nn.utils.clip_grad_norm_`; no clipping by default.
        detect_anomalous_params: Whether to log parameters that the loss does not depend on.
    """

    def __init__(
        self, grad_clip: Mapping[str, Any] | None = None, detect_anomalous_params: bool = False
    ) -> None:
        self.grad_clip = grad_clip
        self.detect_anomalous_params = detect_anomalous_params

    def clip_grads(self, params: Iterable[nn.Parameter]) -> Any:
        """Clip gradients; returns their norm, if there are any."""
        having = [one for one in params if one.requires_grad and one.grad is not None]
        return nn.utils.clip_grad_norm_(having, **(self.grad_clip or {})) if having else None

    def after_train_iter(self, runner: Any) -> None:
        runner.optimizer.zero_grad()
        if self.detect_anomalous_params:
            detect_anomalous_params(runner.outputs["loss"], runner.model)
        self._backward(runner.outputs["loss"])
        self._step(runner)

    def _backward(self, loss: torch.Tensor) -> None:
        loss.backward()  # type: ignore[no-untyped-call]  # - torch's own

    def _step(self, runner: Any) -> None:
        self._clip(runner)
        runner.optimizer.step()

    def _clip(self, runner: Any) -> None:
        if self.grad_clip is not None:
            norm = self.clip_grads(runner.model.parameters())
            if norm is not None:
                runner.log_buffer.update({"grad_norm": float(norm)}, runner.outputs["num_samples"])


class GradientCumulativeOptimizerHook(OptimizerHook):
    """Steps the optimizer after several iterations, with the mean of their gradients.

    Args:
        cumulative_iters: How many.
        **kwargs: Those of the hook that steps each time.
    """

    def __init__(self, cumulative_iters: Any = 1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not isinstance(cumulative_iters, int) or cumulative_iters <= 0:
            raise AssertionError(
                f"cumulative_iters only accepts positive int, but got {cumulative_iters!r}"
            )
        self.cumulative_iters = cumulative_iters
        self.initialized = False

    def has_batch_norm(self, module: nn.Module) -> bool:
        """Whether a module has batch norm in it."""
        return any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in module.modules())

    def _init(self, runner: Any) -> None:
        name = type(self).__name__
        if runner.iter % self.cumulative_iters:
            runner.logger.warning(
                f"{name}: the run goes on within {self.cumulative_iters} iterations that belong "
                "together; the gradients of those before are lost"
            )
        if self.has_batch_norm(runner.model) and self.cumulative_iters > 1:
            runner.logger.warning(f"{name}: batch norm sees each iteration's batch alone")
        self.remainder_iters = runner.max_iters % self.cumulative_iters
        self.divisible_iters = runner.max_iters - self.remainder_iters
        self.initialized = True

    def after_train_iter(self, runner: Any) -> None:
        if not self.initialized:
            self._init(runner)
        is_whole = runner.iter < self.divisible_iters
        together = self.cumulative_iters if is_whole else self.remainder_iters
        self._backward(runner.outputs["loss"] / together)
        if self.every_n_iters(runner, self.cumulative_iters) or self.is_last_iter(runner):
            self._step(runner)
            runner.optimizer.zero_grad()


class Fp16OptimizerHook(OptimizerHook):
    """Steps the optimizer after each iteration, whose loss is scaled for half precision.

    Args:
        grad_clip: As for `OptimizerHook`.
        coalesce: Has no effect; kept for programs that give it.
        bucket_size_mb: Has no effect.
        loss_scale: A fixed scale, ``"dynamic"``, or arguments of `torch.amp.GradScaler`.
        distributed: Has no effect.
    """

    def __init__(
        self,
        grad_clip: Mapping[str, Any] | None = None,
        coalesce: bool = True,
        bucket_size_mb: int = -1,
        loss_scale: float | str | Mapping[str, Any] = 512.0,
        distributed: bool = True,
    ) -> None:
        super().__init__(grad_clip)
        self._scale_update_param = fixed = loss_scale if isinstance(loss_scale, float) else None
        settings: dict[str, Any] = {} if fixed is None else {"init_scale": fixed}
        if isinstance(loss_scale, Mapping):
            settings = dict(loss_scale)
        elif fixed is None and loss_scale != "dynamic":
            raise ConfigError(
                f'loss_scale must be of type float, dict, or "dynamic", got {loss_scale!r}'
            )
        self.loss_scaler = torch.amp.GradScaler(get_device(), **settings)

    def before_run(self, runner: Any) -> None:
        wrap_fp16_model(runner.model)
        runner.meta = {} if runner.meta is None else runner.meta
        if state := runner.meta.get("fp16", {}).get("loss_scaler"):
            self.loss_scaler.load_state_dict(state)

    def _backward(self, loss: torch.Tensor) -> None:
        self.loss_scaler.scale(loss).backward()  # type: ignore[no-untyped-call]  # - torch's own

    def _step(self, runner: Any) -> None:
        self.loss_scaler.unscale_(runner.optimizer)
        self._clip(runner)
        self.loss_scaler.step(runner.optimizer)
        self.loss_scaler.update(self._scale_update_param)
        runner.meta.setdefault("fp16", {})["loss_scaler"] = self.loss_scaler.state_dict()


class GradientCumulativeFp16OptimizerHook(GradientCumulativeOptimizerHook, Fp16OptimizerHook):
    """Steps the optimizer after several iterations, scaled for half precision."""
