"""How often the right class is among the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any, Literal

import torch
from torch import Tensor

from mainspring.dist import all_reduce, get_dist_info
from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.samples import prediction_of, target_of
from mainspring.registry import METRICS

__all__ = ["Accuracy"]

_NO_LABEL = -2
"""Stands for the rank where a prediction is a fraction."""


@METRICS.register_module()
class Accuracy(BaseMetric):
    """Share of samples, in percent, whose class is among the highest scores.

    Samples are dicts with ``prediction`` (scores of shape (classes,), or a label) and ``target``,
    or with the names of other projects (``pred_score``, ``pred_label``, ``gt_label``). Of a sample,
    only the rank of its right class is kept; processes exchange a few counts. Of classes with the
    same score, the one with the smaller index comes first, as with ``argmax``.

    Args:
        topk: How many of the best classes count. A number gives the metric ``accuracy``, several
            give ``accuracy/top1``, ``accuracy/top5`` and so on.
        prefix: Put before the metrics' names.
        collect_device: As in `BaseMetric`; without effect, because only counts are exchanged.

    Raises:
        ConfigError: `topk` is no number of at least 1.

    Example:
        >>> accuracy = Accuracy(topk=(1, 2))
        >>> scores = torch.tensor([[0.1, 0.7, 0.2], [0.5, 0.1, 0.4]])
        >>> accuracy.process({}, [dict(pred_score=s, gt_label=t) for s, t in zip(scores, [1, 2])])
        >>> accuracy.evaluate(size=2)
        {'accuracy/top1': 50.0, 'accuracy/top2': 100.0}
    """

    def __init__(
        self,
        topk: int | Sequence[int] = 1,
        prefix: str | None = None,
        collect_device: Literal["cpu", "gpu"] = "cpu",
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        self._single = isinstance(topk, int)
        if not self.topk or min(self.topk) < 1:
            raise ConfigError(f"topk is {topk!r}", help="give a number of at least 1, or several")

    @property
    def metric_names(self) -> tuple[str, ...]:
        """The names of what `evaluate` returns, known beforehand."""
        names = ["accuracy"] if self._single else [f"accuracy/top{k}" for k in self.topk]
        return tuple(self._named(dict.fromkeys(names)))

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep, for each sample, how many classes score higher than the right one.

        Args:
            data_batch: Not looked at.
            data_samples: The samples.

        Raises:
            MetricError: A sample has no prediction or target, one of another shape, or a label
                beyond its scores.
        """
        if not data_samples:
            return
        predictions, targets = _stacked(
            [prediction_of(sample) for sample in data_samples],
            [target_of(sample) for sample in data_samples],
        )
        if predictions.numel() == len(predictions):
            labels = predictions.reshape(-1)
            ranks = torch.where(labels == targets, 0, max(self.topk))
            if labels.is_floating_point():
                ranks = torch.where(labels == labels.round(), ranks, _NO_LABEL)
        else:
            if max(self.topk) > predictions.shape[1]:
                raise MetricError(
                    f"topk is {max(self.topk)}, but there are scores for {predictions.shape[1]} "
                    "classes, so every sample would be right"
                )
            ranks = _ranks(predictions, targets)
        # The one copy from the device in each batch; 32 bits, because there may be many classes.
        ranks = ranks.to("cpu", torch.int32)
        if (ranks < 0).any():
            wrong = int(ranks.argmin())
            if ranks[wrong] == _NO_LABEL:
                raise MetricError(
                    f"a prediction is {predictions[wrong].item():g}, neither scores nor a label",
                    help="predict scores of shape (classes,), or a whole number: of a score "
                    "between two classes, int(score > 0.5)",
                )
            raise MetricError(
                f"a target is class {targets[wrong].item()}, "
                f"but there are scores for {predictions.shape[1]} classes"
            )
        self.results.append(ranks)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The accuracies.

        Args:
            results: The ranks that `process` kept, as tensors.

        Raises:
            MetricError: There are none.
        """
        return self._percentages(self._counts(results, None))

    def evaluate(self, size: int) -> dict[str, Any]:
        """Compute the accuracies over all ranks, and begin anew (all ranks).

        Args:
            size: Number of samples of the data set. Padding samples, the last ones of a rank, do
                not count.

        Raises:
            MetricError: No sample was seen.
        """
        rank, world_size = get_dist_info()
        counts = self._counts(self.results, len(range(rank, size, world_size)))
        self.results.clear()
        all_reduce(counts)
        return self._named(self._percentages(counts))

    def _counts(self, results: list[Any], limit: int | None) -> Tensor:
        """Samples whose class is among the best k, for each k, and the number of samples."""
        ranks = torch.cat(results)[:limit] if results else torch.zeros(0)
        return torch.tensor([*(int((ranks < k).sum()) for k in self.topk), len(ranks)])

    def _percentages(self, counts: Tensor) -> dict[str, Any]:
        *right, total = counts.tolist()
        if not total:
            raise MetricError("Accuracy saw no sample", help="is the data set empty?")
        values = {k: 100.0 * count / total for k, count in zip(self.topk, right, strict=True)}
        if self._single:
            return {"accuracy": values[self.topk[0]]}
        return {f"accuracy/top{k}": value for k, value in values.items()}


def _stacked(scores: list[Tensor], labels: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The predictions and the targets of a batch, on one device."""
    with suppress(RuntimeError):
        predictions = torch.stack(scores)
        targets = torch.stack([t.reshape(()) if t.ndim else t for t in labels])
        if predictions.ndim <= 2 or predictions.numel() == len(predictions):
            return predictions, targets.to(predictions.device)
    seen = {(tuple(s.shape), tuple(t.shape)) for s, t in zip(scores, labels, strict=True)}
    raise MetricError(
        "samples have a prediction and a target of shapes "
        + " or ".join(f"{one} and {other}" for one, other in sorted(seen)),
        help="Accuracy takes scores of shape (classes,), or a label, and one target a sample; "
        "ConfusionMatrix and MeanIoU take maps",
    )


def _ranks(scores: Tensor, target: Tensor) -> Tensor:
    """How many classes come before the right one when sorted by score; -1 for no such class.

    Ties go by class index; scores that are not numbers beat nobody.
    """
    known = target.clamp(0, scores.shape[1] - 1).long()
    right = scores.gather(1, known[:, None])
    classes = torch.arange(scores.shape[1], device=scores.device)
    before = (scores > right) | ((scores == right) & (classes < known[:, None]))
    ranks = torch.where(right[:, 0].isnan(), scores.shape[1], before.sum(1))
    return torch.where(known == target, ranks, -1)
