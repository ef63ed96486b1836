"""A data set of tensors that fit into memory, with named fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from mainspring.errors import ConfigError, DataError
from mainspring.registry import DATASETS

__all__ = ["InMemoryDataset"]


@DATASETS.register_module()
class InMemoryDataset(Dataset[dict[str, Tensor]]):
    """Tensors with equally many rows; item i is a dict of the i-th rows.

    The dict counterpart of torch's `TensorDataset`. With a collate function that stacks,
    `mainspring.dataset.DataLoader` takes a batch out of each tensor in one operation.

    Attributes:
        tensors: The fields, by name.

    Args:
        fields: Tensors, arrays or nested lists, by name; arrays are shared, not copied.

    Raises:
        ConfigError: There is no field, or one that is no tensor.
        DataError: The fields differ in their number of rows, or one has none to count.

    Example:
        >>> data = InMemoryDataset({"inputs": torch.zeros(100, 8), "target": torch.zeros(100)})
        >>> data[3]["inputs"].shape
        torch.Size([8])
    """

    def __init__(self, fields: Mapping[str, Any]) -> None:
        if not fields:
            raise ConfigError(
                "InMemoryDataset has no field", help="give it tensors: dict(inputs=..., target=...)"
            )
        self.tensors = {name: _tensor(name, value) for name, value in fields.items()}
        lengths = {name: len(tensor) for name, tensor in self.tensors.items()}
        if len(set(lengths.values())) > 1:
            raise DataError(
                "the fields of InMemoryDataset differ in length: "
                + ", ".join(f"{name} has {length} rows" for name, length in lengths.items()),
                help="the first dimension of every field counts the items",
            )
        self._length = next(iter(lengths.values()))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return {name: tensor[index] for name, tensor in self.tensors.items()}


def _tensor(name: str, value: Any) -> Tensor:
    try:
        tensor = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(
            f"field {name!r} of InMemoryDataset is {value!r:.80}, which makes no tensor",
            help="give a tensor, an array of numbers, or nested lists of numbers of equal lengths",
        ) from error
    if not tensor.dim():
        raise DataError(
            f"field {name!r} of InMemoryDataset is the single number {tensor.item()}",
            help="give one value, or row, for each item",
        )
    return tensor
