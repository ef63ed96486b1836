"""Metrics, and what evaluates them together."""

from mainspring.evaluator.accumulating import AccumulatingMetric, SumMetric
from mainspring.evaluator.accuracy import Accuracy
from mainspring.evaluator.box_precision import BoxAveragePrecision
from mainspring.evaluator.confusion import ConfusionMatrix, MeanIoU, PrecisionRecallF1
from mainspring.evaluator.evaluator import Evaluator
from mainspring.evaluator.metric import BaseMetric, DumpResults
from mainspring.evaluator.metric_value import get_metric_value
from mainspring.evaluator.perplexity import Perplexity
from mainspring.evaluator.regression import RegressionErrors
from mainspring.evaluator.torch_metric import TorchMetric

__all__ = [
    "AccumulatingMetric",
    "Accuracy",
    "BaseMetric",
    "BoxAveragePrecision",
    "ConfusionMatrix",
    "DumpResults",
    "Evaluator",
    "MeanIoU",
    "Perplexity",
    "PrecisionRecallF1",
    "RegressionErrors",
    "SumMetric",
    "TorchMetric",
    "get_metric_value",
]
