"""Fields with a value for each pixel: masks, heat maps, depth."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mainspring.errors import ArgumentTypeError, ArgumentValueError
from mainspring.structures.base_data_element import BaseDataElement

__all__ = ["PixelData"]


class PixelData(BaseDataElement):
    """A data element whose data fields all have the same height and width.

    Fields are tensors or arrays of shape (C, H, W); one of shape (H, W) gets a leading axis.
    Indexing with ``[rows, columns]`` cuts all fields.

    Example:
        >>> pixels = PixelData(image=torch.zeros(3, 4, 6), mask=torch.ones(4, 6))
        >>> pixels.mask.shape, pixels[:2, 1:4].shape
        (torch.Size([1, 4, 6]), (2, 3))
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_metainfo_fields", "_data_fields"):
            super().__setattr__(name, value)
            return
        if not isinstance(value, torch.Tensor | np.ndarray):
            raise ArgumentTypeError(f"{name} is a {type(value).__name__}, not a tensor or an array")
        if value.ndim not in (2, 3):
            raise ArgumentValueError(f"{name} has {value.ndim} dimensions, not 2 or 3")
        if value.ndim == 2:
            value = value[None]
        if self.shape is not None and tuple(value.shape[-2:]) != self.shape:
            raise ArgumentValueError(
                f"{name} is {tuple(value.shape[-2:])} pixels, the other fields are {self.shape}"
            )
        super().__setattr__(name, value)

    def __getitem__(self, item: Any) -> PixelData:
        """Cut all fields.

        Args:
            item: Pair of slices or indices, for rows and columns.

        Raises:
            ArgumentTypeError: `item` is nothing of this kind.
        """
        if not (isinstance(item, tuple) and len(item) == 2):
            raise ArgumentTypeError("pixels are cut with [rows, columns]")
        made = self.new(metainfo=self.metainfo)
        for name in list(made._data_fields):
            delattr(made, name)
        rows, columns = (_as_slice(part) for part in item)
        for name, value in self.items():
            setattr(made, name, value[:, rows, columns])
        return made

    @property
    def shape(self) -> tuple[int, int] | None:
        """Height and width; ``None`` without fields."""
        values = self.values()
        return (int(values[0].shape[-2]), int(values[0].shape[-1])) if values else None


def _as_slice(part: Any) -> slice:
    if isinstance(part, slice):
        return part
    if isinstance(part, int):
        return slice(part, None if part == -1 else part + 1)
    raise ArgumentTypeError(f"rows and columns are ints or slices, not {type(part).__name__}")
