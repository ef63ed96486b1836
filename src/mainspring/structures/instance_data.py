"""Fields of equal length: the instances (boxes, scores, labels) of one image."""

from __future__ import annotations

import itertools
from collections.abc import Sized
from typing import Any

import numpy as np
import torch

from mainspring.errors import ArgumentIndexError, ArgumentTypeError, ArgumentValueError
from mainspring.structures.base_data_element import BaseDataElement

__all__ = ["InstanceData"]


class InstanceData(BaseDataElement):
    """A data element whose data fields all have the same length and can be indexed together.

    Example:
        >>> instances = InstanceData(scores=torch.tensor([0.9, 0.1]), labels=torch.tensor([1, 2]))
        >>> len(instances[instances.scores > 0.5])
        1
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name in ("_metainfo_fields", "_data_fields"):
            super().__setattr__(name, value)
            return
        if not isinstance(value, Sized):
            raise ArgumentTypeError(
                f"{name} has no length, so it cannot be a field of instances: {value!r}"
            )
        if len(self) and len(value) != len(self):
            raise ArgumentValueError(
                f"{name} has {len(value)} entries, the other fields have {len(self)}"
            )
        super().__setattr__(name, value)

    __setitem__ = __setattr__

    def __len__(self) -> int:
        values = self.values()
        return len(values[0]) if values else 0

    def __getitem__(self, item: Any) -> Any:
        """Some of the instances.

        Args:
            item: Name of a field (gives the field), index (gives one instance, of length 1), slice,
                list of indices or flags, tensor or array of indices or flags.

        Raises:
            ArgumentTypeError: `item` is nothing of this kind.
            IndexError: An index is beyond the instances.
            ValueError: A field knows neither indices nor how to be joined of slices.
        """
        if isinstance(item, str):
            return getattr(self, item)
        item = self._as_selection(item)
        made = self.new(metainfo=self.metainfo)
        for name in list(made._data_fields):
            delattr(made, name)
        for name, value in self.items():
            made.set_field(_select(value, item), name)
        return made

    def _as_selection(self, item: Any) -> slice | torch.Tensor:
        if isinstance(item, np.ndarray):
            item = torch.from_numpy(item.astype(np.int64) if item.dtype == np.int32 else item)
        elif isinstance(item, list):
            item = torch.tensor(item) if item else torch.zeros(0, dtype=torch.long)
        if isinstance(item, int | np.integer):
            if not -len(self) <= item < len(self):
                raise IndexError(f"there is no instance {item} among {len(self)}")
            item = int(item)
            return slice(item, None if item == -1 else item + 1)
        if isinstance(item, slice):
            return item
        if not isinstance(item, torch.Tensor):
            raise ArgumentTypeError(f"instances cannot be selected by {type(item).__name__}")
        if item.dim() != 1:
            raise ArgumentValueError(f"a selection has one dimension, not {item.dim()}")
        if item.dtype == torch.bool and len(item) != len(self):
            raise ArgumentIndexError(f"{len(item)} flags for {len(self)} instances")
        if item.dtype not in (torch.bool, torch.int64):
            raise ArgumentTypeError(f"a selection is of bool or int64, not {item.dtype}")
        return item

    @staticmethod
    def cat(instances_list: list[InstanceData]) -> InstanceData:
        """All instances of several elements in one.

        Raises:
            ArgumentTypeError: An entry is no `InstanceData`.
            ArgumentValueError: The list is empty, or the fields differ.
        """
        if not all(isinstance(item, InstanceData) for item in instances_list):
            raise ArgumentTypeError("only InstanceData can be concatenated")
        if not instances_list:
            raise ArgumentValueError("there is nothing to concatenate")
        if len(instances_list) == 1:
            return instances_list[0]
        names = set(instances_list[0].all_keys())
        for other in instances_list[1:]:
            if set(other.all_keys()) != names:
                raise ArgumentValueError(
                    f"fields differ: {sorted(names ^ set(other.all_keys()))} are not in all"
                )
        made = instances_list[0].new()
        for name in list(made._data_fields):
            delattr(made, name)
        for name, _ in instances_list[0].items():  # noqa: PERF102 - not a dict, and it is filtered
            made.set_field(_join([item[name] for item in instances_list]), name)
        return made


def _select(value: Any, item: slice | torch.Tensor) -> Any:
    if isinstance(item, slice):
        return value[item]
    if isinstance(value, np.ndarray):
        return value[item.cpu().numpy()]
    if isinstance(value, torch.Tensor):
        return value[item]
    chosen = item.nonzero().flatten().tolist() if item.dtype == torch.bool else item.tolist()
    if isinstance(value, str):
        return "".join(value[index] for index in chosen)
    if isinstance(value, list | tuple):
        picked = [value[index] for index in chosen]
        return picked if isinstance(value, list) else tuple(picked)
    if hasattr(value, "cat"):
        # It needs to know slices only.
        parts = [value[slice(index, None, len(value))] for index in chosen]
        return value.cat(parts or [value[:0]])
    try:
        return value[item]
    except TypeError as error:
        raise ArgumentValueError(
            f"{type(value).__name__} takes no indices or flags, and has no cat() to join parts with"
        ) from error


def _join(values: list[Any]) -> Any:
    first = values[0]
    if isinstance(first, torch.Tensor):
        return torch.cat(values, dim=0)
    if isinstance(first, np.ndarray):
        return np.concatenate(values, axis=0)
    if isinstance(first, str | list | tuple):
        joined = list(itertools.chain(*values))
        if isinstance(first, str):
            return "".join(joined)
        return joined if isinstance(first, list) else tuple(joined)
    if hasattr(first, "cat"):
        return first.cat(values)
    raise ArgumentValueError(f"values of {type(first).__name__} cannot be concatenated")
