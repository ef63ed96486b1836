"""Checks and conversions of what drawing methods are given."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from mainspring.errors import ArgumentTypeError, VisualizationError

__all__ = ["check_length", "check_type", "check_type_and_length", "tensor2ndarray", "value2list"]

Types = type | tuple[type, ...]


def tensor2ndarray(value: Any) -> Any:
    """A tensor as an array on the host; anything else as it is."""
    return value.detach().cpu().numpy() if isinstance(value, torch.Tensor) else value


def value2list(value: Any, valid_type: Types, expand_dim: int) -> list[Any]:
    """A single value repeated `expand_dim` times; what is not of `valid_type` as it is."""
    return [value] * expand_dim if isinstance(value, valid_type) else value


def check_type(name: str, value: Any, valid_type: Types) -> None:
    """Check the type of an argument.

    Raises:
        ArgumentTypeError: It has another type.
    """
    if not isinstance(value, valid_type):
        kinds = valid_type if isinstance(valid_type, tuple) else (valid_type,)
        names = " or ".join(kind.__name__ for kind in kinds)
        raise ArgumentTypeError(f"{name} is a {type(value).__name__}, not {names}")


def check_length(name: str, value: Any, valid_length: int) -> None:
    """Check that a list has an element for each thing that is drawn.

    Raises:
        VisualizationError: It is shorter.
    """
    if isinstance(value, list) and len(value) < valid_length:
        raise VisualizationError(
            f"{name} has {len(value)} elements for {valid_length} things to draw",
            help="give one for each, or a single one for all",
        )


def check_type_and_length(name: str, value: Any, valid_type: Types, valid_length: int) -> None:
    """Check the type of an argument and, if it is a list, its length.

    Raises:
        ArgumentTypeError: It has another type.
        VisualizationError: It is too short.
    """
    check_type(name, value, valid_type)
    check_length(name, value, valid_length)


def as_array(name: str, value: Any) -> np.ndarray[Any, Any]:
    """An array or tensor as an array.

    Raises:
        TypeError: It is neither.
    """
    check_type(name, value, (np.ndarray, torch.Tensor))
    array: np.ndarray[Any, Any] = tensor2ndarray(value)
    return array


def per_item(name: str, value: Any, kinds: Types, count: int) -> list[Any]:
    """A list with a value for each of `count` things, from one value or a list of them.

    Raises:
        TypeError: It is neither a value nor a list.
        VisualizationError: The list is too short.
    """
    single = kinds if isinstance(kinds, tuple) else (kinds,)
    check_type_and_length(name, value, (*single, list), count)
    return value2list(value, single, count)
