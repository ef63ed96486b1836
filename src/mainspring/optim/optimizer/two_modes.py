"""Optimizers that keep other weights for evaluation, such as those of schedule-free training."""

from __future__ import annotations

from typing import Any, Protocol, TypeGuard, runtime_checkable

__all__ = ["TwoModes", "has_two_modes"]


@runtime_checkable
class TwoModes(Protocol):
    """An optimizer that trains with one kind of weights and evaluates with an average of them.

    Schedule-free optimizers (Defazio et al., "The Road Less Scheduled", 2024) are such.
    """

    param_groups: list[dict[str, Any]]
    state: dict[Any, Any]

    def train(self) -> object:
        """Give the parameters the weights that training goes on with."""
        ...

    def eval(self) -> object:
        """Give the parameters the weights that are evaluated."""
        ...


def has_two_modes(optimizer: object) -> TypeGuard[TwoModes]:
    """Whether an optimizer has weights for evaluation, which it switches to by ``eval()``.

    Args:
        optimizer: Any optimizer.
    """
    return isinstance(optimizer, TwoModes)
