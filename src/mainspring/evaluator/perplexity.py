"""How surprised a language model is."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from mainspring.evaluator.accumulating import SumMetric
from mainspring.registry import METRICS

__all__ = ["Perplexity", "perplexity", "surprise"]


def surprise(scores: Tensor, targets: Tensor, ignored: int) -> Tensor:
    """Negative log-likelihood of tokens, and their number without those that are ignored."""
    scores, targets = scores.flatten(0, -2).float(), targets.flatten()
    loss = F.cross_entropy(scores, targets, ignore_index=ignored, reduction="sum")
    return torch.stack([loss, (targets != ignored).sum()])


def perplexity(sums: Tensor) -> dict[str, float]:
    """The exponential of the mean negative log-likelihood."""
    loss, tokens = sums.tolist()
    return {"perplexity": math.exp(loss / tokens) if tokens else math.nan}


@METRICS.register_module()
class Perplexity(SumMetric):
    """The exponential of the mean negative log-likelihood of a token, in nats.

    Predictions are logits of shape (tokens, vocabulary), targets tokens of shape (tokens,).

    Args:
        ignore_index: Target that does not count, as padding.
        prefix: Put before the metric's name.

    Example:
        >>> metric = Perplexity()
        >>> metric.process({}, [dict(prediction=torch.zeros(5, 8), target=torch.arange(5))])
        >>> round(metric.evaluate(size=1)["perplexity"], 4)
        8.0
    """

    def __init__(self, ignore_index: int = -100, prefix: str | None = None) -> None:
        super().__init__(prefix)
        self.ignore_index = ignore_index

    def sums_of(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """Negative log-likelihood, and the number of tokens."""
        return surprise(predictions, targets, self.ignore_index)

    def values(self, sums: Tensor) -> dict[str, Any]:
        """The perplexity."""
        return perplexity(sums)
