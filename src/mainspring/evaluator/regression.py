"""How far numbers lie from their targets."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from mainspring.errors import MetricError
from mainspring.evaluator.accumulating import SumMetric
from mainspring.registry import METRICS

__all__ = ["RegressionErrors", "error_sums", "errors"]


def error_sums(predictions: Tensor, targets: Tensor) -> Tensor:
    """Number, absolute and squared errors, targets, and their squares."""
    predictions, targets = predictions.flatten().cpu().double(), targets.flatten().cpu().double()
    wrong = (predictions - targets).abs()
    count = torch.tensor(float(len(wrong)), dtype=torch.double, device="cpu")
    sums = [count, wrong.sum(), wrong.square().sum(), targets.sum(), targets.square().sum()]
    return torch.stack(sums)


def errors(sums: Tensor) -> dict[str, float]:
    """Mean errors, and the share of the targets' variance that is explained."""
    count, absolute, squared, total, square_total = sums.tolist()
    spread = square_total - total * total / count
    return {
        "mae": absolute / count,
        "mse": squared / count,
        "rmse": math.sqrt(squared / count),
        "r2": 1 - squared / spread if spread > 0 else math.nan,
    }


@METRICS.register_module()
class RegressionErrors(SumMetric):
    """Mean absolute error, mean squared error, its root, and R2, over all elements.

    Gives ``mae``, ``mse``, ``rmse`` and ``r2``, the share of the targets' variance that the
    predictions explain; `nan` where all targets are the same.

    Args:
        prefix: Put before the metrics' names.

    Raises:
        MetricError: Predictions and targets have different numbers of elements.

    Example:
        >>> metric = RegressionErrors()
        >>> pairs = [(1.0, 2.0), (2.0, 2.0), (5.0, 5.0)]
        >>> metric.process({}, [dict(prediction=p, target=t) for p, t in pairs])
        >>> {name: round(value, 3) for name, value in metric.evaluate(size=3).items()}
        {'mae': 0.333, 'mse': 0.333, 'rmse': 0.577, 'r2': 0.833}
    """

    def sums_of(self, predictions: Tensor, targets: Tensor) -> Tensor:
        """The sums, see `error_sums`."""
        if predictions.numel() != targets.numel():
            raise MetricError(
                f"predictions have the shape {tuple(predictions.shape)}, "
                f"targets {tuple(targets.shape)}"
            )
        return error_sums(predictions, targets)

    def values(self, sums: Tensor) -> dict[str, Any]:
        """The errors."""
        return errors(sums)
