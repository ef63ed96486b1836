"""From a list of samples to a batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from torch.utils.data import default_collate as stack_leaves

from mainspring.errors import DataError
from mainspring.registry import FUNCTIONS
from mainspring.structures import BaseDataElement

__all__ = ["COLLATE_FUNCTIONS", "default_collate", "owner_of", "pseudo_collate"]

COLLATE_FUNCTIONS = FUNCTIONS
"""MMEngine's older name of the registry of functions."""


@FUNCTIONS.register_module()
def pseudo_collate(data_batch: Sequence[Any]) -> Any:
    """Transpose a list of samples, leaving what they hold as it is.

    A list of dicts becomes a dict of lists, a list of tuples a list of tuples. Nothing is stacked
    or copied, so samples may differ in shape.

    Args:
        data_batch: The samples, all of the same structure.

    Raises:
        DataError: Samples that are sequences differ in length (also a `RuntimeError`).
    """
    return _transpose(data_batch, _as_it_is)


@FUNCTIONS.register_module()
def default_collate(data_batch: Sequence[Any]) -> Any:
    """Transpose a list of samples and stack the tensors, arrays and numbers that they hold.

    Strings and data elements become lists.

    Args:
        data_batch: The samples, all of the same structure, their tensors of the same shapes.

    Raises:
        DataError: Samples that are sequences differ in length (also a `RuntimeError`).
    """
    return _transpose(data_batch, _stack)


def _as_it_is(values: Sequence[Any]) -> Any:
    return values


def _stack(values: Sequence[Any]) -> Any:
    return values if isinstance(values[0], BaseDataElement) else stack_leaves(list(values))


def _transpose(samples: Sequence[Any], leaf: Callable[[Sequence[Any]], Any]) -> Any:
    """Turn samples that hold fields into fields that hold samples, down to the leaves."""
    first = samples[0]
    kind: Any = type(first)
    if isinstance(first, str | bytes):
        return samples
    if isinstance(first, tuple) and hasattr(first, "_fields"):
        return kind(*(_transpose(column, leaf) for column in zip(*samples, strict=True)))
    if isinstance(first, Mapping):
        columns = {key: _transpose([sample[key] for sample in samples], leaf) for key in first}
        return kind(columns)
    if isinstance(first, Sequence):
        if any(len(sample) != len(first) for sample in samples):
            raise DataError(
                f"samples of one batch hold {sorted({len(sample) for sample in samples})} values",
                help="let every sample hold equally many, or write a collate_fn of your own",
            )
        columns_in_order = [_transpose(column, leaf) for column in zip(*samples, strict=True)]
        if isinstance(first, tuple):
            return columns_in_order
        try:
            return kind(columns_in_order)
        except TypeError:
            return columns_in_order
    return leaf(samples)


def owner_of(function: Any) -> Any:
    """What may remember something for a function: its object, what is bound to it, or itself.

    Args:
        function: A collate function.
    """
    if isinstance(function, partial):
        bound = {"func": owner_of(function.func), "args": list(function.args)}
        return {**bound, **function.keywords}
    return getattr(function, "__self__", function)
