"""Labels of an image."""

from __future__ import annotations

import torch

from mainspring.structures.base_data_element import BaseDataElement
from mainspring.structures.errors import FieldTypeError, FieldValueError

__all__ = ["LabelData"]


class LabelData(BaseDataElement):
    """A data element for labels, with conversions between indices and one-hot vectors."""

    @staticmethod
    def onehot_to_label(onehot: torch.Tensor) -> torch.Tensor:
        """Indices of the classes that are set.

        Args:
            onehot: Zeros and ones, of shape (num_classes,).

        Raises:
            FieldTypeError: It is no tensor.
            FieldValueError: The tensor has another shape or other values.
        """
        if not isinstance(onehot, torch.Tensor):
            raise FieldTypeError(f"onehot is a {type(onehot).__name__}, not a tensor")
        if onehot.ndim != 1 or onehot.max() > 1 or onehot.min() < 0:
            raise FieldValueError(f"a one-hot vector has one dimension of zeros and ones: {onehot}")
        return onehot.nonzero().flatten()

    @staticmethod
    def label_to_onehot(label: torch.Tensor, num_classes: int) -> torch.Tensor:
        """Zeros and ones, of shape (num_classes,).

        Args:
            label: Indices of classes, of shape (n,).
            num_classes: Number of classes.

        Raises:
            FieldTypeError: It is no tensor.
            FieldValueError: A label is beyond the classes.
        """
        if not isinstance(label, torch.Tensor):
            raise FieldTypeError(f"label is a {type(label).__name__}, not a tensor")
        if label.numel() and int(label.max()) >= num_classes:
            raise FieldValueError(f"label {int(label.max())} is beyond {num_classes} classes")
        onehot = label.new_zeros((num_classes,))
        onehot[label] = 1
        return onehot
