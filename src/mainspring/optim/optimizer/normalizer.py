"""Weigh every target alike over the micro-batches of a group and over ranks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch

from mainspring.dist import all_reduce, get_world_size
from mainspring.structures import NormalizedLoss

__all__ = ["TargetNormalizer"]


class TargetNormalizer:
    """Turns mean losses of micro-batches into the gradient of the mean over all their targets.

    With means ``L_i`` over counts ``n_i``, the wanted loss is ``sum(n_i L_i) / sum(n_i)``. The
    denominator is known only when the group ends, so each loss is scaled by ``n_i`` and the
    gradients by ``1 / sum(n_i)`` at the end. Over ranks, gradients are averages, and counts are
    summed with one small collective for each group. Nothing is read on the host.
    """

    def __init__(self) -> None:
        self._total: torch.Tensor | None = None

    @property
    def active(self) -> bool:
        """Whether the group under way declared counts."""
        return self._total is not None

    def weigh(self, loss: NormalizedLoss) -> torch.Tensor:
        """The loss to backpropagate for a micro-batch."""
        count = torch.as_tensor(loss.count, dtype=torch.float32, device=loss.value.device).detach()
        self._total = count.clone() if self._total is None else self._total + count
        weighted: torch.Tensor = loss.value * count
        # The mean over no target is 0 / 0; it carries no weight.
        return torch.where(count > 0, weighted, torch.zeros_like(weighted))

    @torch.no_grad()
    def finish(self, parameters: Iterable[torch.Tensor]) -> None:
        """Scale the gradients of a finished group, and begin a new one (all ranks)."""
        if self._total is None:
            return
        total = self._total.clone()
        all_reduce(total, "sum")
        factor = get_world_size() / total.clamp(min=1.0)
        gradients = [p.grad for p in parameters if p.grad is not None]
        by_kind: dict[Any, list[torch.Tensor]] = {}
        for gradient in gradients:
            by_kind.setdefault((gradient.device, gradient.dtype), []).append(gradient)
        for (device, dtype), alike in by_kind.items():
            torch._foreach_mul_(alike, factor.to(device=device, dtype=dtype))
        self._total = None

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Counts of the group under way; empty between groups."""
        return {} if self._total is None else {"total": self._total}

    def load_state_dict(self, state: dict[str, torch.Tensor], device: torch.device) -> None:
        """Take back what `state_dict` gave."""
        self._total = state["total"].to(device) if state else None
