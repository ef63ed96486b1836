"""Mixed precision: forward passes in a lower one, the loss scaled where that is needed."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch
from torch import nn

from mainspring.device import autocast, get_device
from mainspring.errors import ConfigError, did_you_mean
from mainspring.logging import print_log
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.registry import OPTIM_WRAPPERS

__all__ = ["AmpOptimWrapper"]

_TYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper):
    """An `OptimWrapper` that runs forward passes under autocast.

    On the CPU it computes in bfloat16; elsewhere in float16, unless told otherwise. Losses are
    scaled for float16 only: bfloat16 has the range of float32.

    Args:
        loss_scale: ``"dynamic"``, a fixed scale, or arguments of `torch.amp.GradScaler`.
        dtype: Type of the forward pass: ``"float16"``, ``"bfloat16"`` or a `torch.dtype`.
        use_fsdp: Whether gradients are sharded; chooses the scaler that looks at all shards.
        **kwargs: Arguments of `OptimWrapper`.

    Raises:
        ConfigError: The type is unknown, or the device cannot compute in it.
    """

    def __init__(
        self,
        loss_scale: str | float | Mapping[str, Any] = "dynamic",
        dtype: str | torch.dtype | None = None,
        use_fsdp: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._device_type = get_device()
        self.cast_dtype = _cast_type(dtype, self._device_type)
        needs_scaler = self.cast_dtype is torch.float16
        if loss_scale != "dynamic" and not needs_scaler:
            print_log(
                f"loss_scale has no effect with {self.cast_dtype}, which needs no scaling",
                logger="current",
                level=logging.WARNING,
            )
        self._scale_update_param: float | None = None
        self.loss_scaler = self._make_scaler(loss_scale, needs_scaler, use_fsdp)

    def _make_scaler(self, loss_scale: Any, enabled: bool, use_fsdp: bool) -> torch.amp.GradScaler:
        scaler: Any = torch.amp.GradScaler
        if use_fsdp:
            from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

            scaler = ShardedGradScaler
        device = self._device_type
        if loss_scale == "dynamic":
            made = scaler(device, enabled=enabled)
        elif isinstance(loss_scale, int | float) and not isinstance(loss_scale, bool):
            self._scale_update_param = float(loss_scale)
            made = scaler(device, init_scale=float(loss_scale), enabled=enabled)
        elif isinstance(loss_scale, Mapping):
            made = scaler(device, **{"enabled": enabled, **loss_scale})
        else:
            raise ConfigError(
                f"loss_scale is {loss_scale!r}", help="give 'dynamic', a number or a dict"
            )
        result: torch.amp.GradScaler = made
        return result

    @property
    def dtype(self) -> torch.dtype:
        """Type of the forward pass."""
        return self.cast_dtype

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients of the scaled loss, counting the micro-batch."""
        self.loss_scaler.scale(loss).backward(**kwargs)  # type: ignore[no-untyped-call]  # - torch's
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Undo the scaling, clip, and step unless a gradient overflowed."""
        if self._normalizer.active or self.clip_grad_kwargs is not None:
            self.loss_scaler.unscale_(self.optimizer)
        if self._normalizer.active:
            self._normalizer.finish(self._parameters())
        if self.clip_grad_kwargs is not None:
            self._clip_grad()
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._scale_update_param)
        self._optimizer_steps += 1

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer, and that of the scaler under ``loss_scaler``."""
        return {**super().state_dict(), "loss_scaler": self.loss_scaler.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; a state without scaler keeps the scaler as it is."""
        state = dict(state_dict)
        scaler = state.pop("loss_scaler", None)
        if scaler:
            self.loss_scaler.load_state_dict(dict(scaler))
        super().load_state_dict(state)

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """What to run the forward pass under: autocast."""
        return self._autocast(super().optim_context(model))

    @contextmanager
    def _autocast(self, outer: AbstractContextManager[None]) -> Iterator[None]:
        with outer, autocast(device_type=self._device_type, dtype=self.cast_dtype):
            yield


def _cast_type(dtype: str | torch.dtype | None, device: str) -> torch.dtype:
    if isinstance(dtype, str):
        if dtype not in _TYPES:
            raise ConfigError(
                f"dtype is {dtype!r}",
                help=did_you_mean(dtype, _TYPES) or f"it is one of {', '.join(_TYPES)}",
            )
        dtype = _TYPES[dtype]
    if dtype is None:
        return torch.bfloat16 if device == "cpu" else torch.float16
    if not isinstance(dtype, torch.dtype):
        raise ConfigError(f"dtype is {dtype!r}", help="give its name or a torch.dtype")
    if device == "cpu" and dtype is torch.float16:
        raise ConfigError(
            "the CPU trains in bfloat16, not in float16",
            help="set dtype='bfloat16', or leave it out",
        )
    return dtype
