"""Between batches and samples: stacking what arrives, splitting what is predicted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

__all__ = ["as_batch", "rows", "split_samples"]


def as_batch(value: Any, like: Any = None) -> Any:
    """Stack a list of equally shaped tensors, or of numbers; anything else stays as it is.

    Args:
        value: What a collate function gave.
        like: A tensor on the device on which numbers are wanted.
    """
    if not isinstance(value, list | tuple) or not value:
        return value
    if all(isinstance(item, torch.Tensor) for item in value):
        same = all(item.shape == value[0].shape for item in value)
        return torch.stack(list(value)) if same else value
    if all(isinstance(item, bool | int | float) for item in value):
        device = like.device if isinstance(like, torch.Tensor) else None
        return torch.tensor(value, device=device)
    return value


def rows(value: Any, count: int) -> list[Any]:
    """Split a batch into its samples.

    Args:
        value: Tensor, batch first, or a dict, list or tuple of such; anything without a batch
            dimension of `count` is given to every sample.
        count: Number of samples.
    """
    if isinstance(value, torch.Tensor):
        if value.dim() and value.shape[0] == count:
            return list(value.unbind(0))
        return [value] * count
    if isinstance(value, Mapping):
        columns = {key: rows(item, count) for key, item in value.items()}
        return [{key: column[index] for key, column in columns.items()} for index in range(count)]
    if isinstance(value, tuple):
        return list(zip(*(rows(item, count) for item in value), strict=True))
    if isinstance(value, list) and len(value) == count:
        return value
    return [value] * count


def batch_size(value: Any) -> int:
    """Number of samples in a batch: the first size of the first tensor in it that has one.

    Raises:
        TypeError: There is none.
    """
    found = _batch_size(value)
    if found is None:
        raise TypeError(f"a prediction of type {type(value).__name__} holds no batch of samples")
    return found


def _batch_size(value: Any) -> int | None:
    if isinstance(value, torch.Tensor):
        return value.shape[0] if value.dim() else None
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            found = _batch_size(item)
            if found is not None:
                return found
    return None


def split_samples(predictions: Any, targets: Any) -> list[dict[str, Any]]:
    """One dict for each sample: ``prediction``, and ``target`` where there are targets."""
    count = batch_size(predictions)
    split = rows(predictions, count)
    if targets is None:
        return [{"prediction": prediction} for prediction in split]
    return [
        {"prediction": prediction, "target": target}
        for prediction, target in zip(split, rows(targets, count), strict=True)
    ]
