"""How often the right class is among the best ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.evaluator.samples import prediction_of, target_of
from mainspring.registry import METRICS

__all__ = ["Accuracy"]


@METRICS.register_module()
class Accuracy(BaseMetric):
    """Share of samples, in percent, whose class is among the highest scores.

    Samples are dicts with ``prediction`` (scores of shape (classes,), or a label) and ``target``,
    or with the names of other projects (``pred_score``, ``pred_label``, ``gt_label``). Only the
    ranks of the right classes are kept, one byte or so for each sample.

    Args:
        topk: How many of the best classes count. A number gives the metric ``accuracy``, several
            give ``accuracy_top1``, ``accuracy_top5`` and so on.
        prefix: Put before the metrics' names.
        collect_device: As in `BaseMetric`.

    Raises:
        ConfigError: `topk` is no number of at least 1.
    """

    def __init__(
        self,
        topk: int | Sequence[int] = 1,
        prefix: str | None = None,
        collect_device: str = "cpu",
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.topk = (topk,) if isinstance(topk, int) else tuple(topk)
        self._single = isinstance(topk, int)
        if not self.topk or min(self.topk) < 1:
            raise ConfigError(f"topk is {topk!r}", help="give a number of at least 1, or several")

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep, for each sample, how many classes score higher than the right one.

        Raises:
            MetricError: A sample has no prediction or target, or a label beyond its scores.
        """
        predictions = [prediction_of(sample) for sample in data_samples]
        targets = [target_of(sample).reshape(()) for sample in data_samples]
        if not predictions:
            return
        target = torch.stack(targets).to(predictions[0].device)
        if predictions[0].numel() == 1:
            labels = torch.stack([prediction.reshape(()) for prediction in predictions])
            ranks = torch.where(labels == target, 0, max(self.topk))
        else:
            ranks = _ranks(torch.stack(predictions), target)
        self.results.extend(ranks.cpu().tolist())

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The accuracies."""
        ranks = torch.tensor(results)
        if not len(ranks):
            raise MetricError("Accuracy saw no sample")
        values = {k: 100.0 * (ranks < k).double().mean().item() for k in self.topk}
        if self._single:
            return {"accuracy": values[self.topk[0]]}
        return {f"accuracy_top{k}": value for k, value in values.items()}


def _ranks(scores: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """How many classes come before the right one when sorted by score; ties by class index."""
    if int(target.max()) >= scores.shape[1] or int(target.min()) < 0:
        raise MetricError(
            f"a target is class {int(target.max())}, but there are scores for "
            f"{scores.shape[1]} classes"
        )
    right = scores.gather(1, target[:, None])
    classes = torch.arange(scores.shape[1], device=scores.device)
    before = (scores > right) | ((scores == right) & (classes < target[:, None]))
    ranks = before.sum(1)
    # Scores that are not numbers beat nobody.
    return torch.where(right[:, 0].isnan(), scores.shape[1], ranks)
