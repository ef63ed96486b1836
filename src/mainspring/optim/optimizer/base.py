"""What every optimizer wrapper offers to models, schedulers and the runner."""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

__all__ = ["BaseOptimWrapper"]

NO_CONTEXT: AbstractContextManager[None] = nullcontext()


class BaseOptimWrapper(metaclass=ABCMeta):
    """Base of optimizer wrappers.

    Attributes:
        optimizer: The optimizer.
        base_param_settings: The optimizer's default settings as a group without real parameters,
            when there are several groups; schedulers treat it as the last group, so that the
            log can show the learning rate that was asked for. ``None`` with a single group.

    Args:
        optimizer: The optimizer.
    """

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer
        self.base_param_settings: dict[str, Any] | None = None
        if len(optimizer.param_groups) > 1:
            placeholder = torch.tensor([0.0], dtype=torch.float32, device="cpu")
            self.base_param_settings = {"params": placeholder, **optimizer.defaults}

    @abstractmethod
    def update_params(self, loss: Any) -> None:
        """Update the parameters by a loss."""

    @abstractmethod
    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        """Compute gradients."""

    @abstractmethod
    def zero_grad(self, **kwargs: Any) -> None:
        """Clear gradients."""

    @abstractmethod
    def step(self, **kwargs: Any) -> None:
        """Change the parameters by their gradients."""

    def state_dict(self) -> dict[str, Any]:
        """State of the optimizer, and the default settings when there are several groups."""
        state: dict[str, Any] = self.optimizer.state_dict()
        if self.base_param_settings is not None:
            state["base_param_settings"] = dict(self.base_param_settings)
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave; the dict itself is not changed."""
        state = dict(state_dict)
        settings = state.pop("base_param_settings", None)
        if settings is not None:
            self.base_param_settings = dict(settings)
        self.optimizer.load_state_dict(state)

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimizer; the default settings come last, if there are any."""
        if self.base_param_settings is None:
            return self.optimizer.param_groups
        return [*self.optimizer.param_groups, self.base_param_settings]

    @property
    def defaults(self) -> dict[str, Any]:
        """Default settings of the optimizer."""
        return self.optimizer.defaults

    def get_lr(self) -> dict[str, list[float]]:
        """Learning rates: ``lr`` of each group, and ``base_lr`` when there are several groups."""
        rates = {"lr": [group["lr"] for group in self.optimizer.param_groups]}
        if self.base_param_settings is not None:
            rates["base_lr"] = [self.base_param_settings["lr"]]
        return rates

    def get_momentum(self) -> dict[str, list[float]]:
        """Momentum (or the first beta) of each group; 0 where there is neither."""
        return {"momentum": [_momentum_of(group) for group in self.optimizer.param_groups]}

    def optim_context(self, model: nn.Module) -> AbstractContextManager[None]:
        """What to run the forward pass under; nothing here.

        Args:
            model: The model, in its wrapper if it has one.
        """
        return NO_CONTEXT

    def initialize_count_status(  # noqa: B027 - wrappers that count nothing need not override it
        self, model: nn.Module, init_counts: int, max_counts: int
    ) -> None:
        """Learn how many iterations are done and how many there are in all.

        Args:
            model: The model.
            init_counts: Iterations that are done.
            max_counts: Iterations of the whole training.
        """

    def _parameters(self) -> Iterator[torch.Tensor]:
        for group in self.optimizer.param_groups:
            yield from group["params"]


def _momentum_of(group: Mapping[str, Any]) -> float:
    if "momentum" in group:
        return float(group["momentum"])
    return float(group["betas"][0]) if "betas" in group else 0.0
