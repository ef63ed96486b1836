"""Predictions of a trained model for inputs of whatever form."""

from mainspring.infer.infer import BaseInferencer
from mainspring.infer.protocols import (
    DrawsPredictions,
    ExportsForward,
    NamesPredictions,
    ReadsInputs,
)

__all__ = [
    "BaseInferencer",
    "DrawsPredictions",
    "ExportsForward",
    "NamesPredictions",
    "ReadsInputs",
]
