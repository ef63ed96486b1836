"""A small detector, written as the detectors of OpenMMLab are."""

from .datasets import PackDetInputs, RandomFlip, ShapesDataset
from .detector import PointDetector, PointHead, TinyBackbone
from .hooks import DetVisualizationHook
from .metrics import RecallMetric
from .structures import DetDataSample
from .visualization import DetLocalVisualizer

__all__ = [
    "DetDataSample",
    "DetLocalVisualizer",
    "DetVisualizationHook",
    "PackDetInputs",
    "PointDetector",
    "PointHead",
    "RandomFlip",
    "RecallMetric",
    "ShapesDataset",
    "TinyBackbone",
]
