"""Metrics of the torchmetrics package, as they are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from mainspring.dist import all_reduce, get_dist_info
from mainspring.errors import MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.samples import prediction_of, target_of

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


class TorchMetric(BaseMetric):
    """Feeds a torchmetrics metric with predictions and targets.

    The metric accumulates its own mergeable state; nothing is kept for each sample. Over ranks,
    torchmetrics merges the states itself. A rank's last sample is held back until it is known
    whether it only pads the data set.

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
        self._seen = 0
        self._held: tuple[Tensor, Tensor] | None = None
        self._device: torch.device | None = None

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Update the metric with a batch.

        Args:
            data_batch: Not looked at.
            data_samples: Dicts with ``prediction`` and ``target``, or their usual other names.

        Raises:
            MetricError: A sample has no prediction or target.
        """
        if not data_samples:
            return
        predictions = torch.stack([prediction_of(sample) for sample in data_samples])
        targets = torch.stack([target_of(sample) for sample in data_samples])
        targets = targets.to(predictions.device)
        self._seen += len(data_samples)
        if get_dist_info()[1] > 1:
            if self._held is not None:
                predictions = torch.cat([self._held[0], predictions])
                targets = torch.cat([self._held[1], targets])
            self._held = predictions[-1:], targets[-1:]
            predictions, targets = predictions[:-1], targets[:-1]
        self._update(predictions, targets)

    def _update(self, predictions: Tensor, targets: Tensor) -> None:
        if not len(predictions):
            return
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

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute the metric over all ranks, and begin anew (all ranks).

        Args:
            size: Number of samples of the data set.

        Raises:
            MetricError: No sample was seen.
        """
        rank, world_size = get_dist_info()
        seen = torch.tensor(self._seen)
        all_reduce(seen)
        if not int(seen):
            raise MetricError(f"{self.name} saw no sample", help="is the data set empty?")
        if self._held is not None and self._seen <= len(range(rank, size, world_size)):
            self._update(*self._held)
        computed = self.compute_metrics([])
        self.metric.reset()
        self._seen, self._held = 0, None
        return self._named(computed)


def _as_number(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.item() if value.numel() == 1 else value.tolist()
    return value
