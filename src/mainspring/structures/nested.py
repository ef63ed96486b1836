"""Nested batches: dicts, lists, tuples and data elements with tensors inside."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from mainspring.structures.base_data_element import BaseDataElement

__all__ = ["tensors_in", "to_device"]


def to_device(
    data: Any,
    device: torch.device,
    non_blocking: bool = False,
    inside: Callable[[Any], Any] | None = None,
) -> Any:
    """Move everything in nested data to a device.

    Mappings, named tuples, sequences, tensors and `BaseDataElement` are followed, containers are
    rebuilt; anything else is returned as it is.

    Args:
        data: What to move.
        device: Where to.
        non_blocking: Whether copies from pinned memory overlap with computation.
        inside: What moves the values in a container; the same function by default.
    """
    if isinstance(data, torch.Tensor):
        return data if data.device == device else data.to(device, non_blocking=non_blocking)
    if data is None or isinstance(data, str | bytes | int | float):
        return data
    if isinstance(data, BaseDataElement):
        return data.to(device, non_blocking=non_blocking)
    move = inside or functools.partial(to_device, device=device, non_blocking=non_blocking)
    kind: Any = type(data)
    if isinstance(data, Mapping):
        moved = {key: move(value) for key, value in data.items()}
        return moved if kind is dict else kind(moved)
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(move(value) for value in data))
    if isinstance(data, Sequence):
        values = [move(value) for value in data]
        return values if kind is list else kind(values)
    return data


def tensors_in(data: Any) -> Iterator[torch.Tensor]:
    """The tensors of nested data.

    Args:
        data: What `to_device` follows.
    """
    if isinstance(data, torch.Tensor):
        yield data
    elif isinstance(data, str | bytes):
        return
    elif isinstance(data, BaseDataElement):
        for value in data.all_values():
            yield from tensors_in(value)
    elif isinstance(data, Mapping):
        for value in data.values():
            yield from tensors_in(value)
    elif isinstance(data, Sequence):
        for value in data:
            yield from tensors_in(value)
