"""Several optimizers of one model, by name."""

from __future__ import annotations

from collections.abc import ItemsView, Iterator, KeysView, Mapping, ValuesView
from typing import Any, NoReturn

import torch
from torch import nn

from mainspring.errors import ArgumentKeyError, ArgumentTypeError, did_you_mean
from mainspring.optim.optimizer.optim_wrapper import OptimWrapper
from mainspring.structures import NormalizedLoss

__all__ = ["OptimWrapperDict", "by_optimizer"]


class OptimWrapperDict(OptimWrapper):
    """Optimizer wrappers by name; the model's `train_step` uses each one itself.

    It is an `OptimWrapper` by class, as models and hooks ask for, but has no optimizer of its own.

    Args:
        **optim_wrapper_dict: The wrappers.

    Raises:
        ArgumentTypeError: One of them is no `OptimWrapper`.

    Example:
        >>> from mainspring.optim import OptimWrapper
        >>> generator, critic = nn.Linear(2, 2), nn.Linear(2, 1)
        >>> wrappers = OptimWrapperDict(
        ...     generator=OptimWrapper(torch.optim.Adam(generator.parameters(), lr=1e-4)),
        ...     critic=OptimWrapper(torch.optim.Adam(critic.parameters(), lr=4e-4)),
        ... )
        >>> wrappers.get_lr()
        {'generator.lr': [0.0001], 'critic.lr': [0.0004]}
    """

    def __init__(self, **optim_wrapper_dict: OptimWrapper) -> None:
        for name, wrapper in optim_wrapper_dict.items():
            if not isinstance(wrapper, OptimWrapper):
                raise ArgumentTypeError(
                    f"{name} is a {type(wrapper).__name__}, not an OptimWrapper"
                )
        self.optim_wrappers = optim_wrapper_dict

    def _refuse(self, method: str) -> NoReturn:
        names = ", ".join(self.optim_wrappers)
        raise NotImplementedError(
            f"{method} belongs to one optimizer: in the model's train_step, use "
            f"optim_wrapper[name].{method} with one of {names}"
        )

    def update_params(
        self,
        loss: torch.Tensor | NormalizedLoss,
        step_kwargs: dict[str, Any] | None = None,
        zero_kwargs: dict[str, Any] | None = None,
    ) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("update_params")

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("backward")

    def step(self, **kwargs: Any) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("step")

    def optim_context(self, model: nn.Module) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("optim_context")

    def zero_grad(self, **kwargs: Any) -> None:
        """Clear the gradients of all."""
        for wrapper in self.optim_wrappers.values():
            wrapper.zero_grad(**kwargs)

    def should_update(self) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("should_update")

    def should_sync(self) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("should_sync")

    def scale_loss(self, loss: torch.Tensor) -> NoReturn:
        """Refused: each wrapper is asked by the model itself."""
        self._refuse("scale_loss")

    def initialize_count_status(self, model: nn.Module, init_counts: int, max_counts: int) -> None:
        """Does nothing: how often each optimizer steps is the model's business."""

    @property
    def param_groups(self) -> dict[str, list[dict[str, Any]]]:  # type: ignore[override]  # - MMEngine's contract
        """Parameter groups by name of the wrapper."""
        return {name: wrapper.param_groups for name, wrapper in self.optim_wrappers.items()}

    @property
    def defaults(self) -> dict[str, dict[str, Any]]:
        """Default settings by name of the wrapper."""
        return {name: wrapper.defaults for name, wrapper in self.optim_wrappers.items()}

    def get_lr(self) -> dict[str, list[float]]:
        """Learning rates, as ``name.lr`` and ``name.base_lr``."""
        return {
            f"{name}.{kind}": values
            for name, wrapper in self.optim_wrappers.items()
            for kind, values in wrapper.get_lr().items()
        }

    def get_momentum(self) -> dict[str, list[float]]:
        """Momenta, as ``name.momentum``."""
        return {
            f"{name}.{kind}": values
            for name, wrapper in self.optim_wrappers.items()
            for kind, values in wrapper.get_momentum().items()
        }

    def state_dict(self) -> dict[str, Any]:
        """States by name of the wrapper."""
        return {name: wrapper.state_dict() for name, wrapper in self.optim_wrappers.items()}

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take back what `state_dict` gave.

        Raises:
            KeyError: A name is no wrapper of this dict.
        """
        for name, state in state_dict.items():
            self._find(name).load_state_dict(state)

    def _find(self, name: str) -> OptimWrapper:
        if name not in self.optim_wrappers:
            raise ArgumentKeyError(
                f"there is no optimizer {name!r}",
                help=did_you_mean(name, self.optim_wrappers)
                or f"there are {', '.join(self.optim_wrappers)}",
            )
        return self.optim_wrappers[name]

    def accumulation_state_dict(self) -> dict[str, Any]:
        """Gradients of groups that are not complete, by name of the wrapper; else empty."""
        states = {name: wrapper.accumulation_state_dict() for name, wrapper in self.items()}
        return {name: state for name, state in states.items() if state}

    def load_accumulation_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take back what `accumulation_state_dict` gave.

        Args:
            state: The state of this rank.
        """
        for name, part in state.items():
            self._find(name).load_accumulation_state_dict(part)

    def items(self) -> ItemsView[str, OptimWrapper]:
        """Names and wrappers."""
        return self.optim_wrappers.items()

    def values(self) -> ValuesView[OptimWrapper]:
        """The wrappers."""
        return self.optim_wrappers.values()

    def keys(self) -> KeysView[str]:
        """The names."""
        return self.optim_wrappers.keys()

    def __getitem__(self, key: str) -> OptimWrapper:
        return self._find(key)

    def __contains__(self, key: str) -> bool:
        return key in self.optim_wrappers

    def __iter__(self) -> Iterator[str]:
        return iter(self.optim_wrappers)

    def __len__(self) -> int:
        return len(self.optim_wrappers)

    def __repr__(self) -> str:
        lines = (f"name: {name}\n{wrapper!r}" for name, wrapper in self.items())
        return "\n".join(lines)


def by_optimizer(parts: Any) -> dict[str, Any]:
    """Optimizer wrappers, or schedules, by the name of their optimizer.

    Args:
        parts: Those of several optimizers by name, or of a single one, which has the empty name.
    """
    return dict(parts.items()) if hasattr(parts, "items") else {"": parts}
