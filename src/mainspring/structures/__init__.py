"""Containers for what is known of a sample."""

from mainspring.structures.base_data_element import BaseDataElement
from mainspring.structures.instance_data import InstanceData
from mainspring.structures.label_data import LabelData
from mainspring.structures.normalized_loss import NormalizedLoss
from mainspring.structures.pixel_data import PixelData

__all__ = ["BaseDataElement", "InstanceData", "LabelData", "NormalizedLoss", "PixelData"]
