"""Metrics of the torchmetrics package, as they are."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from mainspring.evaluator.accumulating import AccumulatingMetric

__all__ = ["AnyTorchMetric", "TorchMetric", "is_torch_metric"]


class AnyTorchMetric(Protocol):
    """What torchmetrics' metrics and collections have."""

    def update(self, *args: Any, **kwargs: Any) -> Any:
        """Take a batch into the state."""

    def compute(self) -> Any:
        """The value, or a dict of values."""

    def reset(self) -> None:
        """Forget what was taken in."""


def is_torch_metric(item: Any) -> bool:
    """Whether something is a torchmetrics metric or a collection of them."""
    return all(callable(getattr(item, name, None)) for name in ("update", "compute", "reset"))


class TorchMetric(AccumulatingMetric):
    """Feeds a torchmetrics metric with predictions and targets.

    The metric accumulates its own mergeable state; over ranks, torchmetrics merges the states
    itself. A config names a metric of torchmetrics like one of ours: ``dict(type="F1Score",
    task="multiclass", num_classes=10)``.

    Args:
        metric: A ``torchmetrics.Metric`` or ``MetricCollection``.
        name: Name of the result; the class name in lower case by default. A metric that computes a
            dict gives its own names.
        prefix: Put before the names.
    """

    def __init__(
        self, metric: AnyTorchMetric, name: str | None = None, prefix: str | None = None
    ) -> None:
        super().__init__(prefix=prefix)
        self.metric: Any = metric
        self.name = name if name is not None else type(metric).__name__.lower()
        self._device: torch.device | None = None

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Update the metric, on the device of the predictions."""
        if predictions.device != self._device and hasattr(self.metric, "to"):
            self._device = predictions.device
            self.metric = self.metric.to(self._device)
        self.metric.update(predictions, targets)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The metric's value, or values by name.

        Args:
            results: Not looked at: the metric keeps its own state.
        """
        value = self.metric.compute()
        values = value if isinstance(value, dict) else {self.name: value}
        return {name: _as_number(item) for name, item in values.items()}

    def reset(self) -> None:
        """Forget what was taken in."""
        super().reset()
        self.metric.reset()


def _as_number(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item() if value.numel() == 1 else value.tolist()
    return value
