"""Mixed precision by NVIDIA's older library apex."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from mainspring.config.words import Factory
from mainspring.errors import mark_user_mistake
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.registry import OPTIM_WRAPPERS

__all__ = ["ApexOptimWrapper"]


@OPTIM_WRAPPERS.register_module()
class ApexOptimWrapper(OptimWrapper):
    """An `OptimWrapper` that leaves precision to apex; new code uses `AmpOptimWrapper`.

    Args:
        opt_level: ``"O0"`` to ``"O3"``; this and the following are arguments of
            ``apex.amp.initialize``.
        loss_scale: ``"dynamic"`` or a number.
        enabled: Whether to use apex at all.
        cast_model_type: See apex.
        patch_torch_functions: See apex.
        keep_batchnorm_fp32: See apex.
        master_weights: See apex.
        cast_model_outputs: See apex.
        num_losses: See apex.
        verbosity: See apex.
        min_loss_scale: See apex.
        max_loss_scale: See apex.
        optimizer: This and the following as of `OptimWrapper`.
        accumulative_counts: Micro-batches of a step.
        clip_grad: How to clip gradients.
        constructor: In a config, what makes optimizer and wrapper.
        paramwise_cfg: In a config, its rules for single parameters.

    Raises:
        ImportError: apex is not installed.

    Example:
        >>> optimizer = dict(type="SGD", lr=0.1)
        >>> optim_wrapper = dict(type="ApexOptimWrapper", optimizer=optimizer, opt_level="O1")
    """

    def __init__(
        self,
        optimizer: Optimizer | Factory[Optimizer],
        accumulative_counts: int | Sequence[tuple[int, int]] = 1,
        clip_grad: Mapping[str, Any] | float | None = None,
        *,
        opt_level: str = "O1",
        loss_scale: float | str | None = "dynamic",
        enabled: bool | None = True,
        cast_model_type: torch.dtype | None = None,
        patch_torch_functions: bool | None = None,
        keep_batchnorm_fp32: bool | str | None = None,
        master_weights: bool | None = None,
        cast_model_outputs: torch.dtype | None = None,
        num_losses: int = 1,
        verbosity: int = 1,
        min_loss_scale: float | None = None,
        max_loss_scale: float | None = 2.0**24,
        constructor: str | Factory[Any] | None = None,
        paramwise_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        try:
            from apex import amp
        except ModuleNotFoundError as error:
            missing = ImportError(
                "ApexOptimWrapper needs NVIDIA's apex (https://github.com/NVIDIA/apex), which is "
                "not installed; AmpOptimWrapper does the same without it"
            )
            raise mark_user_mistake(missing) from error
        super().__init__(
            optimizer,
            accumulative_counts,
            clip_grad,
            constructor=constructor,
            paramwise_cfg=paramwise_cfg,
        )
        self._amp = amp
        self._settings = {
            "opt_level": opt_level,
            "loss_scale": loss_scale,
            "enabled": enabled,
            "cast_model_type": cast_model_type,
            "patch_torch_functions": patch_torch_functions,
            "keep_batchnorm_fp32": keep_batchnorm_fp32,
            "master_weights": master_weights,
            "cast_model_outputs": cast_model_outputs,
            "num_losses": num_losses,
            "verbosity": verbosity,
            "min_loss_scale": min_loss_scale,
            "max_loss_scale": max_loss_scale,
        }
        self._initialized = False

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients of the loss as apex scales it, counting the micro-batch."""
        with self._amp.scale_loss(loss, self.optimizer) as scaled:
            scaled.backward(**kwargs)
        self._inner_count += 1

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer, and that of apex under ``apex_amp``."""
        return {**super().state_dict(), "apex_amp": self._amp.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave."""
        state = dict(state_dict)
        apex_state = state.pop("apex_amp", None)
        if apex_state is not None:
            self._amp.load_state_dict(apex_state)
        super().load_state_dict(state)

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """What to run the forward pass under; the first one hands the model to apex."""
        if not self._initialized:
            self._amp.initialize(model, self.optimizer, **self._settings)
            self._initialized = True
        with super().optim_context(model):
            yield
