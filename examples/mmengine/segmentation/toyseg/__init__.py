"""A small segmentor, written as the segmentors of OpenMMLab are."""

from .datasets import BlobDataset, PackSegInputs, RandomCrop
from .metrics import IoUMetric
from .segmentor import EncoderDecoder, FCNHead, TinyUNet
from .structures import SegDataSample

__all__ = [
    "BlobDataset",
    "EncoderDecoder",
    "FCNHead",
    "IoUMetric",
    "PackSegInputs",
    "RandomCrop",
    "SegDataSample",
    "TinyUNet",
]
