"""Whether a piece of state is still as it was."""

from __future__ import annotations

import copy
import weakref
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from mainspring.object_state.containers import size_of, tensors_in
from mainspring.object_state.kinds import KINDS, kind_of

__all__ = ["MOST_BYTES", "is_same", "mark_of"]

MOST_BYTES = 2**26
"""Larger arrays are taken as unchanged."""
_MOST_COMPARED = 2**20


def mark_of(value: Any) -> Any:
    """By what it is known later whether a value has changed.

    Args:
        value: A piece of state.
    """
    if isinstance(value, nn.Module):
        weights = value.state_dict().values()
        return [(w.shape, w.double().sum().item()) for w in weights if isinstance(w, Tensor)]
    if isinstance(value, Tensor):
        # What is written through `data`, or NumPy's view, leaves the version as it is.
        copied = value.detach().clone() if size_of(value) <= _MOST_COMPARED else None
        return weakref.ref(value), _version(value), copied
    if isinstance(value, np.ndarray):
        return value.copy() if value.nbytes <= MOST_BYTES else None
    if kind_of(value) in KINDS or any(True for _ in tensors_in(value)):
        return None
    return copy.deepcopy(value)


def is_same(mark: Any, value: Any) -> bool:
    """Whether a value is as it was.

    Args:
        mark: What `mark_of` gave of it, or of the value in its place.
        value: The value now.
    """
    if isinstance(value, nn.Module):
        return bool(mark == mark_of(value))
    if isinstance(value, Tensor):
        return (
            type(mark) is tuple
            and mark[0]() is value
            and bool(mark[1] == _version(value))
            and (mark[2] is None or _is_equal(mark[2], value.detach()))
        )
    if isinstance(value, np.ndarray):
        return mark is None or (isinstance(mark, np.ndarray) and np.array_equal(mark, value))
    return type(mark) is type(value) and bool(mark == value)


def _is_equal(one: Tensor, other: Tensor) -> bool:
    return one.device == other.device and torch.equal(one, other)


def _version(value: Tensor) -> int:
    return -1 if value.is_inference() else value._version
