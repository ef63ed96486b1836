"""Models that loops can run, and what prepares their batches."""

from mainspring.model.base_model.base_model import BaseModel, build_data_preprocessor
from mainspring.model.base_model.data_preprocessor import BaseDataPreprocessor
from mainspring.model.base_model.img_data_preprocessor import ImgDataPreprocessor
from mainspring.model.base_model.losses import parse_losses
from mainspring.model.base_model.steps import ModelSteps

__all__ = [
    "BaseDataPreprocessor",
    "BaseModel",
    "ImgDataPreprocessor",
    "ModelSteps",
    "build_data_preprocessor",
    "parse_losses",
]
