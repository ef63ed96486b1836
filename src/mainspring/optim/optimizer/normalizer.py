"""Weigh every target alike over the micro-batches of a group and over ranks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch

from mainspring.dist import all_reduce, get_world_size
from mainspring.structures import NormalizedLoss

__all__ = ["TargetNormalizer"]


class TargetNormalizer:
    """Turns mean losses of micro-batches into the gradient of the mean over all their targets.

    With means ``L_i`` over counts ``n_i``, the wanted loss is ``sum(n_i L_i) / sum(n_i)`` over the
    micro-batches of a group and over ranks. The denominator is known before the last backward pass
    of the group: there the gradients so far are rescaled, once, and the last loss is weighed to
    match, so that clipping and the optimizer see ordinary gradients. Ranks average their gradients
    (as DDP does), hence the factor of the world size.

    Until then losses are weighed by ``n_i`` relative to a reference, the largest first count of the
    ranks, which keeps gradients in half precision in their range. It is the same on all ranks, so
    that it does not matter whether they exchange gradients in every micro-batch or in the last.

    A group costs one collective of a single number, and one more if it has several micro-batches.
    Nothing is read on the host.
    """

    def __init__(self) -> None:
        self._total: torch.Tensor | None = None
        self._reference: torch.Tensor | None = None

    @property
    def active(self) -> bool:
        """Whether a group is under way that declared counts."""
        return self._total is not None

    def weigh(
        self, loss: NormalizedLoss, parameters: Iterable[torch.Tensor], *, last: bool
    ) -> torch.Tensor:
        """The loss to backpropagate for a micro-batch (all ranks).

        Args:
            loss: The loss with its count.
            parameters: Parameters whose gradients are accumulated.
            last: Whether the micro-batch completes its group.

        Returns:
            The weighed loss, a scalar.
        """
        value = loss.value
        count = _on_device(loss.count, value.device)
        if self._total is None or self._reference is None:
            if last:
                return value * (count * _normalizing_factor(count))
            self._total = torch.zeros_like(count)
            self._reference = count.clone()
            all_reduce(self._reference, "max")
            self._reference = _not_zero(self._reference)
        self._total = self._total + count
        if not last:
            return value * (count / self._reference)
        factor = _normalizing_factor(self._total)
        _rescale(parameters, self._reference * factor)
        self._total = self._reference = None
        return value * (count * factor)

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Counts of the group under way; empty between groups."""
        if self._total is None or self._reference is None:
            return {}
        return {"total": self._total.clone(), "reference": self._reference.clone()}

    def load_state_dict(self, state: Mapping[str, torch.Tensor], device: torch.device) -> None:
        """Take back what `state_dict` gave.

        Args:
            state: The state.
            device: Where losses are computed.
        """
        self._total = state["total"].to(device) if state else None
        self._reference = state["reference"].to(device) if state else None


def _on_device(count: torch.Tensor | float, device: torch.device) -> torch.Tensor:
    """A count as a tensor beside the loss, without waiting for the device."""
    if isinstance(count, torch.Tensor):
        return count.detach().to(device, torch.float32, non_blocking=True)
    return torch.full((), count, dtype=torch.float32, device=device)


def _normalizing_factor(total: torch.Tensor) -> torch.Tensor:
    """What a gradient of a sum over targets is multiplied by, given this rank's targets."""
    everywhere = total.clone()
    all_reduce(everywhere, "sum")
    return get_world_size() / _not_zero(everywhere)


def _not_zero(count: torch.Tensor) -> torch.Tensor:
    """Without any target there is nothing to divide: every weight is 0 then."""
    return torch.where(count > 0, count, torch.ones_like(count))


@torch.no_grad()
def _rescale(parameters: Iterable[torch.Tensor], factor: torch.Tensor) -> None:
    alike: dict[tuple[Any, Any], list[torch.Tensor]] = {}
    for parameter in parameters:
        gradient = parameter.grad
        if gradient is not None:
            alike.setdefault((gradient.device, gradient.dtype), []).append(gradient)
    for (device, dtype), gradients in alike.items():
        # The factor may be beyond the range of half precision, the product is not.
        if dtype is torch.float16:
            for gradient in gradients:
                gradient.copy_(gradient.float() * factor.to(device))
        else:
            torch._foreach_mul_(  # pyright: ignore[reportPrivateImportUsage] - no public name
                gradients, factor.to(device=device, dtype=dtype)
            )
