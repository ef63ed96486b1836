"""An optimizer together with how it is used: accumulation, clipping, recording."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from mainspring.errors import ConfigError
from mainspring.logging import MessageHub, print_log
from mainspring.optim.optimizer.base import BaseOptimWrapper
from mainspring.optim.optimizer.normalizer import TargetNormalizer
from mainspring.registry import OPTIM_WRAPPERS
from mainspring.structures import NormalizedLoss
from mainspring.utils.dl_utils import has_batch_norm

__all__ = ["OptimWrapper"]


@OPTIM_WRAPPERS.register_module()
class OptimWrapper(BaseOptimWrapper):
    """Updates parameters by a loss, in one call or step by step.

    ``update_params(loss)`` scales the loss, computes gradients and, when a group of
    `accumulative_counts` micro-batches is complete, clips, steps and clears them. The last group of
    a training is closed by its last iteration, however few micro-batches it has.

    Args:
        optimizer: The optimizer.
        accumulative_counts: Micro-batches of a step.
        clip_grad: ``dict(max_norm=...)`` and further arguments of
            `torch.nn.utils.clip_grad_norm_`, ``dict(type="value", clip_value=...)``, or a number,
            the largest norm. The norm is recorded as ``train/grad_norm``.

    Raises:
        ConfigError: An argument makes no sense.
        TypeError: `optimizer` is no optimizer.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        accumulative_counts: int = 1,
        clip_grad: dict[str, Any] | float | None = None,
    ) -> None:
        if not isinstance(accumulative_counts, int) or accumulative_counts < 1:
            raise ConfigError(
                f"accumulative_counts is {accumulative_counts!r}",
                help="give a whole number of at least 1",
            )
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer is a {type(optimizer).__name__}, not a torch Optimizer")
        super().__init__(optimizer)
        self._accumulative_counts = accumulative_counts
        self._clip_kind, self.clip_grad_kwargs = _clip_arguments(clip_grad)
        self.message_hub = MessageHub.get_current_instance()
        self._inner_count = 0
        self._max_counts = -1
        self._remainder_counts = -1
        self._optimizer_steps = 0
        self._normalizer = TargetNormalizer()

    @property
    def inner_count(self) -> int:
        """Number of micro-batches so far."""
        return self._inner_count

    @property
    def micro_steps(self) -> int:
        """Number of micro-batches so far; another name of `inner_count`."""
        return self._inner_count

    @property
    def optimizer_steps(self) -> int:
        """Number of optimizer steps that this wrapper has taken in this process."""
        return self._optimizer_steps

    def update_params(
        self,
        loss: torch.Tensor | NormalizedLoss,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> None:
        """Update the parameters by the loss of a micro-batch.

        Args:
            loss: Scalar loss. A `NormalizedLoss` is weighed by its count among the micro-batches of
                its step, and among ranks.
            step_kwargs: Passed on to the optimizer's step.
            zero_kwargs: Passed on to the optimizer's `zero_grad`.
        """
        if isinstance(loss, NormalizedLoss):
            loss = self._normalizer.weigh(loss)
        elif self._accumulative_counts > 1:
            loss = self.scale_loss(loss)
        self.backward(loss)
        if self.should_update():
            self.step(**(step_kwargs or {}))
            self.zero_grad(**(zero_kwargs or {}))

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients, counting the micro-batch.

        Args:
            loss: Scalar loss.
            **kwargs: Passed on to `torch.Tensor.backward`.
        """
        loss.backward(**kwargs)  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        self._inner_count += 1

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear gradients; arguments as in `torch.optim.Optimizer.zero_grad`."""
        self.optimizer.zero_grad(**kwargs)

    def step(self, **kwargs: Any) -> None:
        """Clip gradients, if configured, and change the parameters."""
        if self._normalizer.active:
            self._normalizer.finish(self._parameters())
        if self.clip_grad_kwargs is not None:
            self._clip_grad()
        self.optimizer.step(**kwargs)
        self._optimizer_steps += 1

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """What to run the forward pass under.

        On all but the last micro-batch of a group, ranks do not exchange gradients.

        Args:
            model: The model, wrapped or not.
        """
        if self._accumulative_counts > 1 and hasattr(model, "no_sync") and not self.should_sync():
            context: AbstractContextManager[None] = model.no_sync()  # type: ignore[operator]  # - of a wrapper
            return context
        return nullcontext()

    def _clip_grad(self) -> None:
        with_gradient = [p for p in self._parameters() if p.requires_grad and p.grad is not None]
        if not with_gradient:
            return
        arguments = self.clip_grad_kwargs or {}
        if self._clip_kind == "value":
            nn.utils.clip_grad_value_(with_gradient, **arguments)
            return
        norm = nn.utils.clip_grad_norm_(with_gradient, **arguments)
        self.message_hub.update_scalar("train/grad_norm", norm.detach())

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Learn how many iterations are done and how many there are in all.

        Args:
            model: The model.
            init_counts: Iterations that are done.
            max_counts: Iterations of the whole training.
        """
        self._inner_count = init_counts
        self._max_counts = max_counts
        if self._accumulative_counts > 1 and has_batch_norm(model):
            print_log(
                "gradients are accumulated, but batch norm sees each micro-batch alone: training "
                "differs from that with the large batch",
                logger="current",
                level=logging.WARNING,
            )
        self._remainder_counts = self._max_counts % self._accumulative_counts

    def should_update(self) -> bool:
        """Whether the micro-batch just counted completes a group, or the training."""
        return (
            self._inner_count % self._accumulative_counts == 0
            or self._inner_count == self._max_counts
        )

    def should_sync(self) -> bool:
        """Whether the micro-batch to come completes a group, or the training."""
        coming = self._inner_count + 1
        return coming % self._accumulative_counts == 0 or coming == self._max_counts

    def scale_loss(self, loss: torch.Tensor) -> torch.Tensor:
        """Divide a loss by the number of micro-batches of its group."""
        if self._accumulative_counts == 1:
            return loss
        in_last_group = (
            self._max_counts > 0 and self._inner_count >= self._max_counts - self._remainder_counts
        )
        count = self._remainder_counts if in_last_group else self._accumulative_counts
        return loss / count

    def accumulation_state_dict(self) -> dict[str, Any]:
        """Gradients of a group that is not complete; empty between groups.

        For a checkpoint that falls inside a group.
        """
        if self._inner_count % self._accumulative_counts == 0:
            return {}
        gradients = {
            str(index): parameter.grad.detach().cpu()
            for index, parameter in enumerate(self._parameters())
            if parameter.grad is not None
        }
        return {"gradients": gradients, "counts": self._normalizer.state_dict()}

    def load_accumulation_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `accumulation_state_dict` gave, after `initialize_count_status`."""
        parameters = list(self._parameters())
        for index, gradient in state["gradients"].items():
            parameter = parameters[int(index)]
            parameter.grad = gradient.to(parameter.device, copy=True)
        self._normalizer.load_state_dict(dict(state["counts"]), parameters[0].device)

    def __repr__(self) -> str:
        settings = f"accumulative_counts={self._accumulative_counts}"
        if self.clip_grad_kwargs is not None:
            settings += f", clip_grad={self.clip_grad_kwargs}"
        return f"{type(self).__name__}({settings}, optimizer={self.optimizer!r})"


def _clip_arguments(clip_grad: Any) -> tuple[str, dict[str, Any] | None]:
    if clip_grad is None:
        return "norm", None
    if isinstance(clip_grad, int | float) and not isinstance(clip_grad, bool):
        return "norm", {"max_norm": float(clip_grad)}
    if not isinstance(clip_grad, dict) or not clip_grad:
        raise ConfigError(
            f"clip_grad is {clip_grad!r}", help="give a number, or a dict such as dict(max_norm=35)"
        )
    arguments = dict(clip_grad)
    kind = arguments.pop("type", "norm")
    if kind not in ("norm", "value"):
        raise ConfigError(f"clip_grad has type {kind!r}", help="it is 'norm' or 'value'")
    if not arguments:
        raise ConfigError(
            "clip_grad has a type, but no argument", help="add max_norm or clip_value"
        )
    return kind, arguments
