"""Nested batches: dicts, lists, tuples and data elements with tensors inside."""

from __future__ import annotations

import copy
import dataclasses
import functools
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from typing import Any

import torch

from mainspring.structures.base_data_element import BaseDataElement
from mainspring.structures.nested_digest import named_leaves

__all__ = ["as_plain", "tensors_in", "to_device"]

_PLAIN_CONTAINERS = {dict, list, tuple}
"""What most batches are; nothing else needs to be asked of them."""


def to_device(
    data: Any,
    device: torch.device,
    non_blocking: bool = False,
    inside: Callable[[Any], Any] | None = None,
) -> Any:
    """Move everything in nested data to a device.

    Mappings, named tuples, sequences, dataclasses, tensors and whatever has a method ``to`` are
    followed, containers are rebuilt; anything else is returned as it is.

    Args:
        data: What to move.
        device: Where to.
        non_blocking: Whether copies from pinned memory overlap with computation.
        inside: What moves the values in a container; the same function by default.
    """
    if isinstance(data, torch.Tensor):
        return data if data.device == device else data.to(device, non_blocking=non_blocking)
    kind: Any = type(data)
    if kind not in _PLAIN_CONTAINERS:
        if data is None or isinstance(data, str | bytes | int | float):
            return data
        if isinstance(data, BaseDataElement):
            return data.to(device, non_blocking=non_blocking)
        if not isinstance(data, type) and callable(getattr(data, "to", None)):
            return data.to(device)
    move = inside or functools.partial(to_device, device=device, non_blocking=non_blocking)
    if isinstance(data, dict | Mapping):
        moved = {key: move(value) for key, value in data.items()}
        return moved if kind is dict else _like(data, moved)
    if isinstance(data, tuple) and hasattr(data, "_fields"):
        return kind(*(move(value) for value in data))
    if isinstance(data, list | Sequence):
        values = [move(value) for value in data]
        return values if kind is list else kind(values)
    if dataclasses.is_dataclass(data) and not isinstance(data, type):
        moved_data = copy.copy(data)
        for field in dataclasses.fields(data):
            # It may be frozen.
            object.__setattr__(moved_data, field.name, move(getattr(data, field.name)))
        return moved_data
    return data


def _like(data: Mapping[Any, Any], moved: dict[Any, Any]) -> Any:
    """A mapping of the same kind with other values, a `defaultdict` with its factory."""
    if isinstance(data, MutableMapping):
        copied: Any = copy.copy(data)
        copied.update(moved)
        return copied
    kind: Any = type(data)
    return kind(moved)


def tensors_in(data: Any) -> Iterator[torch.Tensor]:
    """The tensors of nested data.

    Args:
        data: Nested data, as `mainspring.structures.nested_digest.named_leaves` follows it.
    """
    return (leaf for _, leaf in named_leaves(data) if isinstance(leaf, torch.Tensor))


def as_plain(data: Any, other: Callable[[Any], Any] = str) -> Any:
    """Nested data as dicts, lists and tuples of numbers and texts; tensors and arrays as lists.

    Args:
        data: Dicts, lists, tuples and sets, with anything in them.
        other: What to make of a value that is none of these.
    """
    if isinstance(data, Mapping):
        return {
            key if isinstance(key, int) else str(key): as_plain(value, other)
            for key, value in data.items()
        }
    if isinstance(data, set | frozenset):
        data = sorted(data, key=repr)
    if isinstance(data, list | tuple):
        items = [as_plain(value, other) for value in data]
        return tuple(items) if isinstance(data, tuple) else items
    if data is None or isinstance(data, bool | int | float | str):
        return data
    return data.tolist() if hasattr(data, "tolist") else other(data)
