"""Metrics of the torchmetrics package, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mainspring.dist import all_gather_object, is_distributed
from mainspring.errors import MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.samples import prediction_of, target_of

__all__ = ["TorchMetric", "is_torch_metric"]


def is_torch_metric(item: Any) -> bool:
    """Whether something is a torchmetrics metric or a collection of them."""
    return all(callable(getattr(item, name, None)) for name in ("update", "compute", "reset"))


class TorchMetric(BaseMetric):
    """Feeds a torchmetrics metric with predictions and targets.

    The metric accumulates its own mergeable state; nothing is kept for each sample. Over ranks,
    torchmetrics merges the states itself.

    Args:
        metric: A ``torchmetrics.Metric`` or ``MetricCollection``.
        name: Name of the result; the class name in lower case by default. A metric that computes a
            dict gives its own names.
        prefix: Put before the names.
    """

    def __init__(self, metric: Any, name: str | None = None, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.metric = metric
        self.name = name if name is not None else type(metric).__name__.lower()
        self._seen = 0

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Update the metric with a batch."""
        if not data_samples:
            return
        predictions = torch.stack([prediction_of(sample) for sample in data_samples])
        targets = torch.stack([target_of(sample) for sample in data_samples])
        if hasattr(self.metric, "to"):
            self.metric = self.metric.to(predictions.device)
        self.metric.update(predictions, targets.to(predictions.device))
        self._seen += len(data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The metric's value, or values by name."""
        value = self.metric.compute()
        values = value if isinstance(value, dict) else {self.name: value}
        return {name: _as_number(item) for name, item in values.items()}

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute the metric over all ranks, and begin anew (all ranks).

        Args:
            size: Number of samples of the data set.

        Raises:
            MetricError: No sample was seen.
        """
        seen = sum(all_gather_object(self._seen)) if is_distributed() else self._seen
        if not seen:
            raise MetricError(f"{self.name} saw no sample")
        computed = self.compute_metrics([])
        self.metric.reset()
        self._seen = 0
        if not self.prefix:
            return computed
        return {f"{self.prefix}/{name}": value for name, value in computed.items()}


def _as_number(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.item() if value.numel() == 1 else value.tolist()
    return value
