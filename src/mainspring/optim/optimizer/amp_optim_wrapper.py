"""Mixed precision: forward passes in a lower one, the loss scaled where that is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Literal, TypeAlias

import torch
from torch import nn
from torch.optim import Optimizer

from mainspring.config.words import Factory
from mainspring.device import get_device
from mainspring.errors import ConfigError, ConfigTypeError, did_you_mean
from mainspring.logging import print_log, warn
from mainspring.optim.optimizer.base import NO_CONTEXT
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.registry import OPTIM_WRAPPERS

__all__ = ["AmpOptimWrapper"]

DTypeName: TypeAlias = Literal["float16", "bfloat16", "float32", "float64"]

_TYPES = {
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "float32": torch.float32,
    "float64": torch.float64,
}
_LOWER = (torch.float16, torch.bfloat16)


@OPTIM_WRAPPERS.register_module()
class AmpOptimWrapper(OptimWrapper):
    """An `OptimWrapper` that runs forward passes under autocast.

    Works on any device: on the CPU it computes in bfloat16, elsewhere in float16, unless told
    otherwise. Losses are scaled for float16 only, since bfloat16 has the range of float32
    (Micikevicius et al., "Mixed Precision Training", 2018).

    Args:
        optimizer: This and the two following as of `OptimWrapper`.
        accumulative_counts: Micro-batches of a step.
        clip_grad: How to clip gradients.
        loss_scale: ``"dynamic"``, a fixed scale, or a dict of arguments of `torch.amp.GradScaler`.
        dtype: Type of the forward pass: ``"float16"``, ``"bfloat16"`` or a `torch.dtype`;
            ``"float32"`` and ``"float64"`` leave the precision as it is.
        use_fsdp: Whether gradients are sharded; chooses the scaler that looks at all shards.
        constructor: In a config, what makes optimizer and wrapper.
        paramwise_cfg: In a config, its rules for single parameters.

    Attributes:
        cast_dtype: Type of the forward pass.
        loss_scaler: The scaler; disabled where none is needed.

    Raises:
        ConfigError: The type is unknown, or the device cannot compute in it.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> wrapper = AmpOptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1), dtype="bfloat16")
        >>> with wrapper.optim_context(model):
        ...     loss = model(torch.ones(1, 2)).square().mean()
        >>> wrapper.update_params(loss)
        >>> wrapper.get_lr()
        {'lr': [0.1]}
    """

    valid_dtypes = tuple(_TYPES)
    _contexts = 0  # how many were made; the wrappers of one model may share them

    def __init__(
        self,
        optimizer: Optimizer | Factory[Optimizer],
        accumulative_counts: int | Sequence[tuple[int, int]] = 1,
        clip_grad: Mapping[str, Any] | float | None = None,
        *,
        loss_scale: Literal["dynamic"] | float | Mapping[str, Any] = "dynamic",
        dtype: DTypeName | torch.dtype | None = None,
        use_fsdp: bool = False,
        constructor: str | Factory[Any] | None = None,
        paramwise_cfg: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(
            optimizer,
            accumulative_counts,
            clip_grad,
            constructor=constructor,
            paramwise_cfg=paramwise_cfg,
        )
        self._device_type = get_device()
        self.cast_dtype = _cast_type(dtype, self._device_type)
        needs_scaler = self.cast_dtype is torch.float16
        if loss_scale != "dynamic" and not needs_scaler:
            warn(f"loss_scale={loss_scale!r} has no effect: {self.cast_dtype} needs no scaling")
        self._scale_update_param: float | None = None
        self.loss_scaler = self._make_scaler(loss_scale, needs_scaler, use_fsdp)
        if self.closure_need != "none" and self.loss_scaler.is_enabled():
            raise ConfigError(
                f"{type(self.optimizer).__name__} computes the loss itself, which does not go "
                "together with a scaled loss",
                help="train in dtype='bfloat16', or with OptimWrapper",
            )
        self._stepped = True
        self._skipped_steps = 0
        self._contexts_before = AmpOptimWrapper._contexts
        if needs_scaler and isinstance(self.optimizer, Optimizer):
            self.optimizer.register_step_post_hook(self._note_step)

    def _make_scaler(self, loss_scale: Any, enabled: bool, use_fsdp: bool) -> torch.amp.GradScaler:
        scaler: Any = torch.amp.GradScaler
        if use_fsdp:
            from torch.distributed.fsdp.sharded_grad_scaler import ShardedGradScaler

            scaler = ShardedGradScaler
        arguments: dict[str, Any] = {"enabled": enabled}
        if isinstance(loss_scale, int | float) and not isinstance(loss_scale, bool):
            self._scale_update_param = float(loss_scale)
            arguments["init_scale"] = float(loss_scale)
        elif isinstance(loss_scale, Mapping):
            arguments.update({key: loss_scale[key] for key in loss_scale})
            arguments["enabled"] = enabled and arguments["enabled"]
        elif loss_scale != "dynamic":
            raise ConfigTypeError(
                f"loss_scale is {loss_scale!r}", help="give 'dynamic', a number or a dict"
            )
        made: torch.amp.GradScaler = scaler(self._device_type, **arguments)
        return made

    def _note_step(self, *_: Any) -> None:
        self._stepped = True

    @property
    def dtype(self) -> torch.dtype:
        """Type of the forward pass."""
        return self.cast_dtype

    @property
    def skipped_steps(self) -> int:
        """Steps of this process that were left out because a gradient overflowed.

        Optimizers with ``fused=True`` decide that on the device; their skipped steps are not known.
        """
        return self._skipped_steps

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients of the scaled loss, counting the micro-batch.

        Args:
            loss: Scalar loss.
            **kwargs: Passed on to `torch.Tensor.backward`.
        """
        if self._contexts_before == AmpOptimWrapper._contexts:
            self._contexts_before = -1
            if self.cast_dtype in _LOWER:
                warn(
                    f"{self.cast_dtype} has no effect: the loss was computed outside of "
                    "optim_context(self) of an optimizer wrapper, which the train_step of a model "
                    "has to enter for its forward pass"
                )
        if not self.loss_scaler.is_enabled():
            super().backward(loss, **kwargs)
            return
        self.loss_scaler.scale(loss).backward(**kwargs)  # type: ignore[no-untyped-call]  # - torch's
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        """Undo the scaling, clip if configured, and step unless a gradient overflowed.

        Args:
            **kwargs: Passed on to the optimizer's step.
        """
        if not self.loss_scaler.is_enabled():
            super().step(**kwargs)
            return
        if self.clip_grad_kwargs is not None:
            self.loss_scaler.unscale_(self.optimizer)
            self._clip_grad()
        self._stepped = False
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update(self._scale_update_param)
        self._optimizer_steps += 1
        if not self._stepped and isinstance(self.optimizer, Optimizer):
            self._skipped_steps += 1
            print_log("a gradient overflowed: this optimizer step is skipped", "current")

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer, and that of the scaler under ``loss_scaler``."""
        return {**super().state_dict(), "loss_scaler": self.loss_scaler.state_dict()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; a state without scaler keeps the scaler as it is."""
        state = dict(state_dict)
        scaler_state = state.pop("loss_scaler", None)
        if scaler_state:
            self.loss_scaler.load_state_dict(dict(scaler_state))
        super().load_state_dict(state)

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """What to run the forward pass under: autocast.

        Args:
            model: The model, in its wrapper if it has one.
        """
        outer = super().optim_context(model)
        if self.cast_dtype not in _LOWER:
            return outer
        AmpOptimWrapper._contexts += 1
        # torch's own context is made directly: what may be cast was checked at construction.
        precision: Any = torch.autocast(self._device_type, dtype=self.cast_dtype)
        return precision if outer is NO_CONTEXT else _both(outer, precision)


@contextmanager
def _both(
    outer: AbstractContextManager[None], inner: AbstractContextManager[Any]
) -> Iterator[None]:
    with outer, inner:
        yield


def _cast_type(dtype: Any, device: str) -> torch.dtype:
    """The type that is meant, if the device computes in it."""
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
    if device == "cuda" and dtype is torch.bfloat16 and not torch.cuda.is_bf16_supported():
        raise ConfigError(
            "this GPU does not compute in bfloat16", help="set dtype='float16', or leave it out"
        )
    return dtype
