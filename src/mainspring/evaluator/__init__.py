"""Metrics, and what evaluates them together."""

from mainspring.evaluator.accuracy import Accuracy
from mainspring.evaluator.evaluator import Evaluator
from mainspring.evaluator.metric import BaseMetric, DumpResults
from mainspring.evaluator.metric_value import get_metric_value
from mainspring.evaluator.torch_metric import TorchMetric

__all__ = [
    "Accuracy",
    "BaseMetric",
    "DumpResults",
    "Evaluator",
    "TorchMetric",
    "get_metric_value",
]
