"""From the losses that a model returns to the one that is minimised and the values to log."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

import torch

from mainspring.structures.normalized_loss import NormalizedLoss

__all__ = ["Losses", "parse_losses"]

Losses: TypeAlias = Mapping[str, "torch.Tensor | list[torch.Tensor] | NormalizedLoss"]


def parse_losses(
    losses: Losses,
) -> tuple[torch.Tensor | NormalizedLoss, dict[str, torch.Tensor]]:
    """Sum the losses and collect what to log.

    A tensor counts as its mean, a list of tensors as the sum of their means. Entries whose name
    contains ``loss`` are summed; the others are only logged.

    Args:
        losses: Values by name. A `NormalizedLoss` declares the number of targets that its value was
            divided by; then the total declares it too.

    Returns:
        The total, attached to the graph, and the detached values by name, still tensors where they
        are. ``loss`` is the first of them: the total, or the entry of that name if there is one.

    Raises:
        TypeError: `losses` is no mapping, or an entry is no tensor or list of tensors.
        ValueError: No name contains ``loss``, or two entries declare different counts.
    """
    if not isinstance(losses, Mapping):
        raise TypeError(
            "forward(mode='loss') must return a dict of losses by name, but it returned "
            f"{type(losses).__name__}; return dict(loss=...)"
        )
    # The first key is taken now so that `loss` leads; its value follows below.
    log_vars: dict[str, Any] = {"loss": None}
    total: Any = None
    count: Any = None
    for name, value in losses.items():
        if not isinstance(name, str):
            raise TypeError(f"the losses have the key {name!r}, but their names are strings")
        if isinstance(value, torch.Tensor):
            term = value.mean() if value.dim() else value
        elif isinstance(value, NormalizedLoss):
            term = value.value.mean() if value.value.dim() else value.value
            if "loss" in name:
                count = _common_count(count, value.count, name)
        else:
            term = _sum_of_means(name, value)
        log_vars[name] = term.detach()
        if "loss" in name:
            total = term if total is None else total + term
    if total is None:
        raise ValueError(
            f"none of the names {list(losses)} contains 'loss', so there is nothing to minimise"
        )
    if log_vars["loss"] is None:
        log_vars["loss"] = total.detach()
    return (total if count is None else NormalizedLoss(total, count)), log_vars


def _sum_of_means(name: str, value: Any) -> torch.Tensor:
    if not isinstance(value, list) or not all(isinstance(item, torch.Tensor) for item in value):
        if isinstance(value, tuple):
            advice = "give a list"
        elif "loss" in name:
            advice = "leave out .item(), float() and .numpy(), the loss is minimised as a tensor"
        else:
            advice = "what is only logged is a tensor, too: torch.tensor(...)"
        raise TypeError(
            f"{name} is not a tensor or list of tensors, but {value!r} ({type(value).__name__}): "
            f"{advice}"
        )
    if not value:
        return torch.zeros(())
    total: torch.Tensor = value[0].mean()
    for item in value[1:]:
        total = total + item.mean()
    return total


def _common_count(known: Any, count: Any, name: str) -> Any:
    """The count that two losses share.

    Tensors are compared by identity: comparing their values would wait for the device.
    """
    if known is None or known is count:
        return count
    numbers = not isinstance(known, torch.Tensor) and not isinstance(count, torch.Tensor)
    if numbers and known == count:
        return count
    raise ValueError(
        f"{name} declares another count than the losses before it ({count!r} and {known!r}); "
        "divide them by one count, given as the same object, or leave the smaller one undeclared"
    )
