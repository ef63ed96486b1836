"""Metrics that take in batch by batch and keep nothing for single samples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from mainspring.dist import all_gather_object, all_reduce, get_dist_info
from mainspring.errors import MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.samples import prediction_of, target_of

__all__ = ["AccumulatingMetric", "SumMetric"]

_Pair = tuple[Tensor, Tensor]


class AccumulatingMetric(BaseMetric):
    """Base of metrics whose state is taken in batch by batch, whatever the number of samples.

    Over several ranks, the last sample of each is held back until it is known whether it only pads
    the data set.

    Attributes:
        name: How the metric calls itself in messages.

    Args:
        prefix: Put before the metrics' names.
    """

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.name = type(self).__name__
        self._seen = 0
        self._held: _Pair | None = None

    @abstractmethod
    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Take in samples.

        Args:
            predictions: Their predictions, of shape (samples, ...).
            targets: Their targets on the same device, of shape (samples, ...).
        """

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Take in a batch; samples of different shapes go one by one.

        Args:
            data_batch: Not looked at.
            data_samples: Dicts with ``prediction`` and ``target``, or their usual other names.

        Raises:
            MetricError: A sample has no prediction or target.
        """
        pairs = [(prediction_of(sample), target_of(sample)) for sample in data_samples]
        self._seen += len(pairs)
        if pairs and get_dist_info()[1] > 1:
            if self._held is not None:
                pairs.insert(0, self._held)
            self._held = pairs.pop()
        self._take_in(pairs)

    def _take_in(self, pairs: list[_Pair]) -> None:
        for predictions, targets in _stacked(pairs):
            self.update(predictions, targets.to(predictions.device))

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute the metrics over all ranks, and begin anew (all ranks).

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
            self._take_in([self._held])
        computed = self.compute_metrics([])
        self.reset()
        return self._named(computed)

    def reset(self) -> None:
        """Forget what was taken in."""
        super().reset()
        self._seen, self._held = 0, None


class SumMetric(AccumulatingMetric):
    """Base of metrics that follow from sums over all samples, such as counts.

    Args:
        prefix: Put before the metrics' names.

    Example:
        >>> class Bias(SumMetric):
        ...     def sums_of(self, predictions, targets):
        ...         return torch.stack([(predictions - targets).sum(), torch.tensor(len(targets))])
        ...
        ...     def values(self, sums):
        ...         return dict(bias=float(sums[0] / sums[1]))
        >>> metric = Bias()
        >>> metric.process({}, [dict(prediction=3.0, target=2.0), dict(prediction=2.0, target=2.0)])
        >>> metric.evaluate(size=2)
        {'bias': 0.5}
    """

    def __init__(self, prefix: str | None = None) -> None:
        super().__init__(prefix)
        self._sums: Tensor | None = None

    @abstractmethod
    def sums_of(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The sums over some samples, always of the same shape.

        Args:
            predictions: Of shape (samples, ...).
            targets: Of shape (samples, ...).
        """

    @abstractmethod
    def values(self, sums: Tensor) -> dict[str, Any]:
        """The metrics by name.

        Args:
            sums: The sums over all samples, in double precision.
        """

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Add the sums over samples."""
        # The one copy from the device in each batch; not every device has double precision.
        sums = self.sums_of(predictions, targets).to("cpu").double()
        self._sums = sums if self._sums is None else self._sums + sums

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The metrics by name, over all ranks (all ranks).

        Args:
            results: Not looked at: the metric keeps its own sums.
        """
        parts = [part for part in all_gather_object(self._sums) if part is not None]
        return self.values(torch.stack(parts).sum(0))

    def reset(self) -> None:
        """Forget the sums."""
        super().reset()
        self._sums = None


def _stacked(pairs: list[_Pair]) -> Iterator[_Pair]:
    if not pairs:
        return
    shapes = {(prediction.shape, target.shape) for prediction, target in pairs}
    for group in [pairs] if len(shapes) == 1 else [[pair] for pair in pairs]:
        predictions, targets = zip(*group, strict=True)
        yield torch.stack(predictions), torch.stack(targets)
