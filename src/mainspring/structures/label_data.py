"""Labels of an image."""

from __future__ import annotations

import torch

from mainspring.errors import ArgumentTypeError, ArgumentValueError
from mainspring.structures.base_data_element import BaseDataElement

__all__ = ["LabelData"]


class LabelData(BaseDataElement):
    """A data element for labels, with conversions between indices and one-hot vectors.

    Example:
        >>> LabelData.onehot_to_label(torch.tensor([0, 1, 0, 1]))
        tensor([1, 3])
    """

    @staticmethod
    def onehot_to_label(onehot: torch.Tensor) -> torch.Tensor:
        """Indices of the classes that are set.

        Args:
            onehot: Zeros and ones, of shape (num_classes,).

        Raises:
            ArgumentTypeError: It is no tensor.
            ArgumentValueError: The tensor has another shape or other values.
        """
        if not isinstance(onehot, torch.Tensor):
            raise ArgumentTypeError(f"onehot is a {type(onehot).__name__}, not a tensor")
        if onehot.ndim != 1 or onehot.max() > 1 or onehot.min() < 0:
            raise ArgumentValueError(
                f"a one-hot vector has one dimension of zeros and ones: {onehot}"
            )
        return onehot.nonzero().flatten()

    @staticmethod
    def label_to_onehot(label: torch.Tensor, num_classes: int) -> torch.Tensor:
        """Zeros and ones, of shape (num_classes,).

        Args:
            label: Indices of classes, of shape (n,).
            num_classes: Number of classes.

        Raises:
            ArgumentTypeError: It is no tensor.
            ArgumentValueError: A label is beyond the classes.
        """
        if not isinstance(label, torch.Tensor):
            raise ArgumentTypeError(f"label is a {type(label).__name__}, not a tensor")
        if label.numel() and int(label.max()) >= num_classes:
            raise ArgumentValueError(f"label {int(label.max())} is beyond {num_classes} classes")
        onehot = label.new_zeros((num_classes,))
        onehot[label] = 1
        return onehot
