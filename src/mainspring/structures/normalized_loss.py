"""A loss that declares what it was divided by, so that accumulation can weigh it correctly."""

from __future__ import annotations

from dataclasses import dataclass

import torch

__all__ = ["NormalizedLoss"]


@dataclass(frozen=True, slots=True)
class NormalizedLoss:
    """A mean loss together with the number of targets that it is the mean of.

    Averaging the mean losses of several micro-batches or ranks weighs each target by how full its
    batch happened to be. With the counts known, an optimizer wrapper can weigh every target alike:
    ``sum(value_i * count_i) / sum(count_i)``, which is the loss of one large batch.

    Attributes:
        value: Scalar loss, already divided by `count`.
        count: Scalar number of targets (tokens, boxes, samples) in this batch; a tensor on the
            device of `value`, so that reading it needs no synchronisation, or a plain number.
    """

    value: torch.Tensor
    count: torch.Tensor | float
