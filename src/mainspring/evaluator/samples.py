"""What metrics read from a sample: the prediction and the target, under the usual names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from mainspring.errors import MetricError

__all__ = ["PREDICTIONS", "TARGETS", "prediction_of", "target_of"]

PREDICTIONS = ("prediction", "pred_score", "pred_scores", "pred", "pred_label", "pred_labels")
"""Usual names of a prediction in a sample."""
TARGETS = ("target", "gt_label", "gt_labels", "label", "labels")
"""Usual names of a target in a sample."""


def prediction_of(sample: Any) -> Tensor:
    """The prediction of a sample: scores of shape (classes,), or a label or value.

    Raises:
        MetricError: The sample has none under a usual name.
    """
    return _first(sample, PREDICTIONS, "prediction", 0)


def target_of(sample: Any) -> Tensor:
    """The target of a sample.

    Raises:
        MetricError: The sample has none under a usual name.
    """
    return _first(sample, TARGETS, "target", 1)


def _first(sample: Any, names: tuple[str, ...], what: str, place: int) -> Tensor:
    if isinstance(sample, tuple | list) and len(sample) == 2:
        return torch.as_tensor(sample[place])
    if isinstance(sample, dict | Mapping):  # asked for a dict first, which is faster
        for name in names:
            if name in sample:
                value = sample[name]
                if isinstance(value, Tensor):
                    return value
                inner = value.get("label") if isinstance(value, Mapping) else value
                return torch.as_tensor(inner)
    keys = ", ".join(map(str, sample)) if isinstance(sample, Mapping) else type(sample).__name__
    raise MetricError(
        f"a sample has no {what}: it holds {keys}",
        help=f"let the model predict dicts with {names[0]!r}, for instance "
        "dict(prediction=scores, target=label)",
    )
