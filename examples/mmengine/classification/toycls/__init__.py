"""A small classifier, written as the classifiers of OpenMMLab are."""

from .classifier import ImageClassifier, LinearClsHead, SmallNet
from .datasets import GratingDataset, PackInputs, RandomErasing, RandomShift, TestTimeAug
from .hooks import ClassCountHook
from .metrics import Accuracy
from .structures import ClsDataSample
from .tta import AverageClsScoreTTA

__all__ = [
    "Accuracy",
    "AverageClsScoreTTA",
    "ClassCountHook",
    "ClsDataSample",
    "GratingDataset",
    "ImageClassifier",
    "LinearClsHead",
    "PackInputs",
    "RandomErasing",
    "RandomShift",
    "SmallNet",
    "TestTimeAug",
]
