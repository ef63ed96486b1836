"""Average precision of boxes by the rules of COCO."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mainspring.errors import MetricError
from mainspring.evaluator.metric import BaseMetric
from mainspring.registry import METRICS

__all__ = ["BoxAveragePrecision"]

_THRESHOLDS = np.linspace(0.5, 0.95, 10)
_RECALLS = np.linspace(0.0, 1.0, 101)
_AREAS = {"": (0.0, 1e10), "_s": (0.0, 32.0**2), "_m": (32.0**2, 96.0**2), "_l": (96.0**2, 1e10)}

_Array = NDArray[Any]


class _Image(NamedTuple):
    """What is kept of an image: found boxes, and those to find."""

    boxes: _Array
    scores: _Array
    labels: _Array
    target_boxes: _Array
    target_labels: _Array
    crowds: _Array
    areas: _Array


@METRICS.register_module()
class BoxAveragePrecision(BaseMetric):
    """Average precision of boxes by the rules of COCO, in percent.

    Gives ``mAP`` (mean over classes and the overlaps 0.50, 0.55, ... 0.95), ``mAP_50``, ``mAP_75``
    and ``mAP_s``, ``mAP_m``, ``mAP_l`` for boxes below 32 x 32, below 96 x 96 and above; -1 where
    there is no box to find. The rules are those of T.-Y. Lin et al., "Microsoft COCO: Common
    Objects in Context" (2014): precision at 101 recalls, crowds that may be found again and again.

    A sample is a dict with ``prediction`` (``boxes`` of shape (n, 4) as x1, y1, x2, y2; ``scores``
    and ``labels`` of shape (n,)) and ``target`` (``boxes``, ``labels``, and perhaps ``crowds`` and
    ``areas``), or with OpenMMLab's ``pred_instances`` and ``gt_instances`` (``bboxes``).

    Args:
        max_found: How many of the boxes found in an image count, those with the best scores.
        prefix: Put before the metrics' names.

    Raises:
        MetricError: A sample has no such fields.

    Example:
        >>> boxes = torch.tensor([[0.0, 0.0, 10.0, 10.0], [20.0, 20.0, 40.0, 40.0]])
        >>> labels = torch.tensor([0, 1])
        >>> found = dict(boxes=boxes, scores=torch.tensor([0.9, 0.8]), labels=labels)
        >>> metric = BoxAveragePrecision()
        >>> metric.process({}, [dict(prediction=found, target=dict(boxes=boxes, labels=labels))])
        >>> metric.evaluate(size=1)["mAP"]
        100.0
    """

    def __init__(self, max_found: int = 100, prefix: str | None = None) -> None:
        super().__init__(prefix=prefix)
        self.max_found = max_found

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        """Keep the boxes of a batch.

        Args:
            data_batch: Not looked at.
            data_samples: The samples.
        """
        for sample in data_samples:
            found = _part(sample, "prediction", "pred_instances")
            target = _part(sample, "target", "gt_instances")
            scores = _column(found, "scores")
            best = np.argsort(-scores, kind="stable")
            boxes = _column(target, "boxes", "bboxes").reshape(-1, 4)
            crowds = _column(target, "crowds", "iscrowd", default=np.zeros(len(boxes)))
            areas = _column(target, "areas", "area", default=_area(boxes))
            self.results.append(
                _Image(
                    _column(found, "boxes", "bboxes").reshape(-1, 4)[best],
                    scores[best],
                    _column(found, "labels")[best],
                    boxes,
                    _column(target, "labels"),
                    crowds.astype(bool),
                    areas,
                )
            )

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        """The average precisions.

        Args:
            results: What `process` kept.
        """
        labels = np.unique(np.concatenate([image.target_labels for image in results] or [[]]))
        metrics: dict[str, Any] = {}
        by_area: dict[str, list[_Array]] = {name: [] for name in _AREAS}
        for label in labels:
            parts = [
                part for part in (_of_class(i, label, self.max_found) for i in results) if part
            ]
            for name, limits in _AREAS.items():
                precision = _precision([_match(*part, limits) for part in parts])
                by_area[name] += [] if precision is None else [precision]
        for name, precisions in by_area.items():
            metrics[f"mAP{name}"] = 100 * float(np.mean(precisions)) if precisions else -1.0
        whole = by_area[""]
        for percent, place in ((50, 0), (75, 5)):
            at = [precision[place] for precision in whole]
            metrics[f"mAP_{percent}"] = 100 * float(np.mean(at)) if at else -1.0
        return metrics


def _part(sample: Any, *names: str) -> Any:
    for name in names:
        part = sample.get(name) if hasattr(sample, "get") else None
        if part is not None:
            return part
    raise MetricError(
        f"a sample has no {names[0]!r}",
        help="let the model predict dict(prediction=dict(boxes=..., scores=..., labels=...), "
        "target=dict(boxes=..., labels=...))",
    )


def _column(part: Any, *names: str, default: _Array | None = None) -> _Array:
    for name in names:
        value = part.get(name) if isinstance(part, Mapping) else getattr(part, name, None)
        if value is not None:
            return np.asarray(value.cpu() if hasattr(value, "cpu") else value, dtype=np.float64)
    if default is None:
        raise MetricError(f"boxes without {names[0]!r}")
    return default


def _area(boxes: _Array) -> _Array:
    areas: _Array = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    return areas


def _of_class(
    image: _Image, label: float, most: int
) -> tuple[_Array, _Array, _Array, _Array, _Array] | None:
    """Areas and scores found, overlaps of shape (found, targets), crowds, areas; of one class."""
    found = np.flatnonzero(image.labels == label)[:most]
    wanted = image.target_labels == label
    if not len(found) and not wanted.any():
        return None
    boxes, targets, crowds = image.boxes[found], image.target_boxes[wanted], image.crowds[wanted]
    corner = np.maximum(boxes[:, None, :2], targets[None, :, :2])
    opposite = np.minimum(boxes[:, None, 2:], targets[None, :, 2:])
    shared = np.clip(opposite - corner, 0, None).prod(2)
    area = _area(boxes)
    # What lies within a crowd belongs to it, however large the crowd is.
    union = np.where(crowds, area[:, None], area[:, None] + _area(targets) - shared)
    overlaps = np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)
    return area, image.scores[found], overlaps, crowds, image.areas[wanted]


def _match(
    area: _Array,
    scores: _Array,
    overlaps: _Array,
    crowds: _Array,
    target_areas: _Array,
    limits: tuple[float, float],
) -> tuple[_Array, _Array, _Array, int]:
    """Give each box, the best first, the target that it overlaps most, at every threshold.

    Returns:
        The scores; whether a box has a target, and whether it does not count, of shape
        (thresholds, found); and the number of targets that count.
    """
    low, high = limits
    ignored = crowds | (target_areas < low) | (target_areas > high)
    shape = len(_THRESHOLDS), len(scores)
    has_target, does_not_count = np.zeros(shape, bool), np.zeros(shape, bool)
    does_not_count[:] = (area < low) | (area > high)
    free = np.ones((len(_THRESHOLDS), len(crowds)), bool)
    for index, row in enumerate(overlaps if len(crowds) else ()):
        fits = (row >= np.minimum(_THRESHOLDS, 1 - 1e-10)[:, None]) & (free | crowds)
        # Targets that count come first; of equal overlaps, the last one.
        for kind in (~ignored, ignored):
            candidates = np.where(fits & kind & ~has_target[:, index, None], row, -1.0)[:, ::-1]
            chosen = candidates.shape[1] - 1 - candidates.argmax(1)
            hit = candidates.max(1) >= 0
            has_target[hit, index] = True
            does_not_count[hit, index] = ignored[chosen[hit]]
            free[hit, chosen[hit]] = False
    return scores, has_target, does_not_count, int((~ignored).sum())


def _precision(images: list[tuple[_Array, _Array, _Array, int]]) -> _Array | None:
    """Mean precision at the recalls, by threshold; nothing where there is no target."""
    total = sum(image[3] for image in images)
    if not total:
        return None
    order = np.argsort(-np.concatenate([image[0] for image in images]), kind="stable")
    right, wrong = (
        np.cumsum(np.concatenate(columns, axis=1)[:, order], axis=1)
        for columns in (
            [has & ~skipped for _, has, skipped, _ in images],
            [~has & ~skipped for _, has, skipped, _ in images],
        )
    )
    precision = right / np.maximum(right + wrong, np.finfo(float).eps)
    # The best precision at this recall or any higher one.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    means = []
    for recalls, row in zip(right / total, np.pad(precision, ((0, 0), (0, 1))), strict=True):
        means.append(row[np.searchsorted(recalls, _RECALLS, side="left")].mean())
    return np.array(means)
