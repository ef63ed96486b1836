"""Which class was taken for which, and the scores that follow from it."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

from mainspring.errors import ConfigError, MetricError
from mainspring.evaluator.accumulating import SumMetric
from mainspring.registry import METRICS

__all__ = [
    "ConfusionMatrix",
    "MeanIoU",
    "PrecisionRecallF1",
    "average_scores",
    "count_pairs",
    "overlap",
    "percent",
    "precision_recall_f1",
]


def count_pairs(taken: Tensor, actual: Tensor, classes: int) -> Tensor:
    """How often each class was taken for each.

    Args:
        taken: Whole numbers: what samples were taken for.
        actual: What they are, of the same shape.
        classes: Number of classes.

    Returns:
        Counts of shape (classes + 1, classes): a row for each actual class, and a last one whose
        first column counts pairs of which one is no class.
    """
    known = (actual >= 0) & (actual < classes) & (taken >= 0) & (taken < classes)
    place = torch.where(known, actual * classes + taken, classes * classes).long().flatten()
    return torch.bincount(place, minlength=(classes + 1) * classes).reshape(classes + 1, classes)


def precision_recall_f1(
    right: Tensor, taken: Tensor, actual: Tensor, undefined: float = 0.0
) -> dict[str, Tensor]:
    """Precision, recall and their harmonic mean, in percent.

    Args:
        right: Samples that were taken for what they are, by class or of all.
        taken: Samples that were taken for the class.
        actual: Samples of the class.
        undefined: What stands where nothing was taken for a class, or is one.
    """
    return {
        "precision": percent(right, taken, undefined),
        "recall": percent(right, actual, undefined),
        "f1": percent(2 * right, taken + actual, undefined),
    }


def percent(part: Tensor, whole: Tensor, undefined: float = 0.0) -> Tensor:
    """What part of a whole is in percent, where there is a whole."""
    return torch.where(whole > 0, 100 * part / whole, undefined)


def average_scores(counts: Tensor, average: str) -> dict[str, Any]:
    """Precision, recall and F1 from how often each class was taken for which.

    Args:
        counts: A row for each actual class.
        average: As in `PrecisionRecallF1`.
    """
    right, taken, actual = counts.diagonal(), counts.sum(0), counts.sum(1)
    if average == "micro":
        right, taken, actual = right.sum(), taken.sum(), actual.sum()
    scores = precision_recall_f1(right, taken, actual)
    if average == "none":
        return {name: score.tolist() for name, score in scores.items()}
    weights = actual if average == "weighted" else (taken + actual > 0).double()
    weights = weights / weights.sum()
    return {name: float((score * weights).sum()) for name, score in scores.items()}


def overlap(counts: Tensor) -> dict[str, float]:
    """How well classes overlap, from how often each (row) was taken for which (column)."""
    right, taken, actual = counts.diagonal(), counts.sum(0), counts.sum(1)
    union = taken + actual - right
    return {
        "mIoU": float(percent(right, union)[union > 0].mean()),
        "mAcc": float(percent(right, actual)[actual > 0].mean()),
        "aAcc": float(percent(right.sum(), actual.sum())),
    }


@METRICS.register_module()
class ConfusionMatrix(SumMetric):
    """How many samples of a class (row) were taken for which class (column).

    Predictions are scores of shape (classes, ...) or labels of shape (...), targets labels of shape
    (...): whole images as well as maps of pixels.

    Args:
        num_classes: Number of classes; by default that of the scores, or of the data set's
            ``classes``.
        ignore_index: Target that does not count; ``None`` for none.
        prefix: Put before the metric's name.

    Raises:
        MetricError: The number of classes is not known, or a label lies beyond it.

    Example:
        >>> metric = ConfusionMatrix(num_classes=2)
        >>> pairs = [(0, 0), (1, 0), (1, 1)]
        >>> metric.process({}, [dict(prediction=p, target=t) for p, t in pairs])
        >>> metric.evaluate(size=3)
        {'confusion_matrix': [[1, 1], [0, 1]]}
    """

    def __init__(
        self,
        num_classes: int | None = None,
        ignore_index: int | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(prefix)
        self.num_classes = num_classes
        self.ignore_index = ignore_index

    def sums_of(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The counts, see `count_pairs`."""
        if predictions.ndim == targets.ndim + 1:
            classes = self.num_classes or predictions.shape[1]
            predictions = predictions.argmax(1)
        else:
            classes = self.num_classes or len((self.dataset_meta or {}).get("classes") or ())
        if not classes or predictions.shape != targets.shape or predictions.is_floating_point():
            raise MetricError(
                f"{self.name} cannot count classes in predictions of shape "
                f"{tuple(predictions.shape)} ({predictions.dtype}) and targets of shape "
                f"{tuple(targets.shape)}",
                help="let the model predict scores of shape (classes, ...) or whole numbers, and "
                "give num_classes= with the latter",
            )
        predictions, targets = predictions.flatten(), targets.flatten().to(predictions.dtype)
        if self.ignore_index is not None:
            kept = targets != self.ignore_index
            predictions, targets = predictions[kept], targets[kept]
        return count_pairs(predictions, targets, classes)

    def update(self, predictions: Tensor, targets: Tensor) -> None:
        """Count samples.

        Raises:
            MetricError: A label is no class.
        """
        super().update(predictions, targets)
        if self._sums is not None and self._sums[-1].any():
            raise MetricError(
                f"{self.name} knows {self._sums.shape[1]} classes, but a label is none of them: "
                f"the targets lie between {int(targets.min())} and {int(targets.max())}",
                help="give num_classes= or ignore_index=",
            )

    def values(self, sums: Tensor) -> dict[str, Any]:
        """The counts as rows of whole numbers."""
        return {"confusion_matrix": sums[:-1].long().tolist()}


@METRICS.register_module()
class PrecisionRecallF1(ConfusionMatrix):
    """Precision, recall and their harmonic mean F1, in percent.

    Args:
        average: ``"macro"`` for the mean over the classes that occur, ``"weighted"`` for that by
            the number of targets, ``"micro"`` for counts of all classes together, ``"none"`` for
            a list with a value for each class.
        num_classes: As in `ConfusionMatrix`.
        ignore_index: As in `ConfusionMatrix`.
        prefix: Put before the metrics' names.

    Raises:
        ConfigError: There is no such average.

    Example:
        >>> metric = PrecisionRecallF1(average="none", num_classes=2)
        >>> pairs = [(0, 0), (1, 0), (1, 1)]
        >>> metric.process({}, [dict(prediction=p, target=t) for p, t in pairs])
        >>> metric.evaluate(size=3)["recall"]
        [50.0, 100.0]
    """

    def __init__(
        self,
        average: Literal["macro", "micro", "weighted", "none"] = "macro",
        num_classes: int | None = None,
        ignore_index: int | None = None,
        prefix: str | None = None,
    ) -> None:
        super().__init__(num_classes, ignore_index, prefix)
        if average not in ("macro", "micro", "weighted", "none"):
            raise ConfigError(
                f"average is {average!r}", help='give "macro", "micro", "weighted" or "none"'
            )
        self.average = average

    def values(self, sums: Tensor) -> dict[str, Any]:
        """The scores; a class that nobody was taken for has precision 0."""
        return average_scores(sums[:-1], self.average)


@METRICS.register_module()
class MeanIoU(ConfusionMatrix):
    """How well maps of classes overlap with their targets, in percent.

    Gives ``mIoU``, the mean over classes of intersection over union, ``mAcc``, the mean share of a
    class's pixels that were found, and ``aAcc``, the share of all pixels. Classes that occur
    nowhere do not count.

    Args:
        num_classes: As in `ConfusionMatrix`.
        ignore_index: Target that does not count; 255 as usual for maps.
        prefix: Put before the metrics' names.

    Example:
        >>> metric = MeanIoU(num_classes=2)
        >>> found, target = torch.tensor([[0, 1], [1, 1]]), torch.tensor([[0, 0], [1, 255]])
        >>> metric.process({}, [dict(prediction=found, target=target)])
        >>> metric.evaluate(size=1)["mIoU"]
        50.0
    """

    def __init__(
        self,
        num_classes: int | None = None,
        ignore_index: int | None = 255,
        prefix: str | None = None,
    ) -> None:
        super().__init__(num_classes, ignore_index, prefix)

    def values(self, sums: Tensor) -> dict[str, Any]:
        """The overlaps."""
        return overlap(sums[:-1])
