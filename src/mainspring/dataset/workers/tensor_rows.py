"""Batches of data sets that lie in memory as tensors, without a call for each item."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Subset, TensorDataset, default_convert, get_worker_info
from torch.utils.data._utils.collate import collate_tensor_fn, default_collate_fn_map
from torch.utils.data._utils.collate import default_collate as torch_collate

from mainspring.dataset.collate import default_collate, pseudo_collate
from mainspring.dataset.in_memory import InMemoryDataset
from mainspring.fast import is_enabled

__all__ = ["TensorRows", "draws_in_workers", "draws_nothing"]


class TensorRows:
    """Takes the rows of a batch out of each tensor of a data set at once.

    What comes out is what torch's `default_collate` makes of the single items, bit for bit: the
    same types, shapes, strides and containers. Nothing is drawn, so nothing needs a seed. Whatever
    is not known to be the same (negative or unusual indices, say) is loaded item by item.

    Attributes:
        dataset: The data set that the indices are of.

    Args:
        dataset: The data set that the indices are of.
        collate: The collate function.
        tensors: The tensors, by key if items are dicts.
        subsets: The indices of the subsets around the tensors, outermost first.
    """

    def __init__(
        self,
        dataset: Any,
        collate: Callable[[list[Any]], Any],
        tensors: list[Tensor] | dict[str, Tensor],
        subsets: Sequence[Sequence[int]],
    ) -> None:
        self.dataset = dataset
        self._collate = collate
        self._tensors = tensors
        self._subsets = subsets
        values = tensors.values() if isinstance(tensors, dict) else tensors
        self._length = next(iter(values)).shape[0]

    @classmethod
    def of(cls, dataset: Any, collate: Any) -> TensorRows | None:
        """The rows of a data set, or ``None`` where items must be loaded one by one.

        Args:
            dataset: A `TensorDataset` or `InMemoryDataset`, or (subsets of) subsets of one; no
                subclass of these.
            collate: The collate function of the loader; torch's default one or that of this
                package.
        """
        if not is_enabled():
            return None
        inner, subsets = dataset, []
        while type(inner) is Subset:
            subsets.append(inner.indices)
            inner = inner.dataset
        if type(inner) is TensorDataset:
            tensors: Any = list(inner.tensors)
        elif type(inner) is InMemoryDataset:
            tensors = dict(inner.tensors)
        else:
            return None
        values = tensors.values() if isinstance(tensors, dict) else tensors
        if not tensors or not _stacks_rows(collate) or not all(map(_is_plain, values)):
            return None
        return cls(dataset, collate, tensors, subsets)

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: Any) -> Any:
        return self._collate(self.dataset[index])

    def __getitems__(self, indices: Sequence[Any]) -> Any:
        batch = self.batch(indices)
        return self._collate([self.dataset[index] for index in indices]) if batch is None else batch

    def batch(self, indices: Sequence[Any]) -> Any:
        """A batch, collated; ``None`` if there is anything unusual about the indices.

        Args:
            indices: Which items of the data set.
        """
        rows = self._rows(indices)
        if rows is None:
            return None
        if isinstance(self._tensors, dict):
            return {name: _taken(tensor, rows) for name, tensor in self._tensors.items()}
        return [_taken(tensor, rows) for tensor in self._tensors]

    def _rows(self, indices: Sequence[Any]) -> Tensor | None:
        """The rows of the tensors that indices stand for."""
        try:
            for subset in self._subsets:
                indices = [subset[index] for index in indices]
            rows = np.array(indices)
        except Exception:  # noqa: BLE001 - loading the items one by one says what is wrong
            return None
        if rows.ndim != 1 or not len(rows) or rows.dtype != np.int64:
            return None
        if int(rows.min()) < 0 or int(rows.max()) >= self._length:
            return None
        return torch.from_numpy(rows)


def _taken(tensor: Tensor, rows: Tensor) -> Tensor:
    if tensor.is_cuda:
        rows = rows.to(tensor.device, non_blocking=True)
    if get_worker_info() is None:
        return tensor.index_select(0, rows)
    # As torch's collate function does it: what is made in shared memory is not copied into it.
    shape = (len(rows), *tensor.shape[1:])
    old: Any = tensor._typed_storage()  # type: ignore[no-untyped-call]  # - torch's own way
    storage = old._new_shared(tensor[:1].numel() * len(rows), device=tensor.device)
    return torch.index_select(tensor, 0, rows, out=tensor.new(storage).resize_(*shape))


def _stacks_rows(collate: Any) -> bool:
    """Whether a collate function is known to stack the tensors of tuples and dicts."""
    if collate is not torch_collate and collate is not default_collate:
        return False
    known: Mapping[Any, Any] = default_collate_fn_map  # users may add to it
    return known.get(Tensor) is collate_tensor_fn and not any(
        issubclass(container, kind) for container in (tuple, dict) for kind in known
    )


def _is_plain(tensor: Tensor) -> bool:
    """Whether rows of a tensor, stacked, are what `index_select` gives."""
    return (
        type(tensor) is Tensor
        and tensor.layout is torch.strided
        and tensor.dim() > 0
        and tensor.is_contiguous()
        and not tensor.requires_grad
        and not tensor.is_quantized
        and not tensor.is_conj()
        and not tensor.is_neg()
        and tensor.device.type in ("cpu", "cuda")
    )


_COLLATES_WITHOUT_DRAWING = (torch_collate, default_convert, default_collate, pseudo_collate)


def draws_nothing(dataset: Any, collate: Any) -> bool:
    """Whether batches are known to need no random numbers, so that seeding can be left out.

    Args:
        dataset: The data set.
        collate: The collate function.
    """
    while type(dataset) is Subset:
        dataset = dataset.dataset
    is_known = type(dataset) in (TensorDataset, InMemoryDataset)
    return is_known and collate in _COLLATES_WITHOUT_DRAWING


def draws_in_workers(loader: Any) -> bool:
    """Whether worker processes of a loader may draw random numbers.

    Args:
        loader: A loader of torch's or ours.
    """
    return loader.num_workers > 0 and not draws_nothing(loader.dataset, loader.collate_fn)
