"""Checks and conversions of sequences."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar, overload

from mainspring.errors import ArgumentValueError

__all__ = [
    "concat_list",
    "is_list_of",
    "is_seq_of",
    "is_str",
    "is_tuple_of",
    "iter_cast",
    "list_cast",
    "slice_list",
    "tuple_cast",
]

T = TypeVar("T")
ContainerT = TypeVar("ContainerT")


def is_str(x: object) -> bool:
    """Whether ``x`` is a string."""
    return isinstance(x, str)


@overload
def iter_cast(
    inputs: Iterable[Any], dst_type: type[T], return_type: None = None
) -> Iterator[T]: ...
@overload
def iter_cast(
    inputs: Iterable[Any], dst_type: type[T], return_type: Callable[[Iterable[T]], ContainerT]
) -> ContainerT: ...
def iter_cast(inputs: Iterable[Any], dst_type: type[Any], return_type: Any = None) -> Any:
    """Convert each element to a type.

    Args:
        inputs: Elements to convert.
        dst_type: Type to call with each element.
        return_type: Container for the results; by default they come from an iterator.

    Returns:
        The container, or an iterator.

    Raises:
        TypeError: If ``inputs`` cannot be iterated or ``dst_type`` is not a type.
    """
    if not isinstance(inputs, Iterable):
        raise TypeError(f"inputs must be an iterable object, but is {inputs!r}")
    if not isinstance(dst_type, type):
        raise TypeError(f'"dst_type" must be a valid type, but is {dst_type!r}')
    converted = map(dst_type, inputs)
    return converted if return_type is None else return_type(converted)


def list_cast(inputs: Iterable[Any], dst_type: type[T]) -> list[T]:
    """Convert each element to a type, into a list."""
    return iter_cast(inputs, dst_type, return_type=list)


def tuple_cast(inputs: Iterable[Any], dst_type: type[T]) -> tuple[T, ...]:
    """Convert each element to a type, into a tuple."""
    return iter_cast(inputs, dst_type, return_type=tuple)


def is_seq_of(
    seq: Any,
    expected_type: type | tuple[type, ...],
    seq_type: type | None = None,
) -> bool:
    """Whether ``seq`` is a sequence whose elements are all of a type.

    Args:
        seq: Value to check.
        expected_type: Type, or types, of the elements.
        seq_type: Type of the sequence; by default any `collections.abc.Sequence`.
    """
    wanted: Any = seq_type or Sequence
    return isinstance(seq, wanted) and all(isinstance(item, expected_type) for item in seq)


def is_list_of(seq: Any, expected_type: type | tuple[type, ...]) -> bool:
    """Whether ``seq`` is a list whose elements are all of a type."""
    return is_seq_of(seq, expected_type, seq_type=list)


def is_tuple_of(seq: Any, expected_type: type | tuple[type, ...]) -> bool:
    """Whether ``seq`` is a tuple whose elements are all of a type."""
    return is_seq_of(seq, expected_type, seq_type=tuple)


def slice_list(in_list: list[T], lens: int | list[int]) -> list[list[T]]:
    """Cut a list into consecutive pieces.

    Args:
        in_list: List to cut.
        lens: Length of every piece, or the length of each; they must add up to the list's.

    Raises:
        TypeError: If ``lens`` is neither an integer nor a list.
        ValueError: If the lengths do not add up.
    """
    if isinstance(lens, int):
        if lens <= 0 or len(in_list) % lens:
            raise ArgumentValueError(f"{len(in_list)} elements cannot be cut into pieces of {lens}")
        lens = [lens] * (len(in_list) // lens)
    if not isinstance(lens, list):
        raise TypeError(f'"lens" must be an integer or a list of integers, but is {lens!r}')
    if sum(lens) != len(in_list):
        raise ValueError(
            f"sum of lens and list length does not match: {sum(lens)} != {len(in_list)}"
        )
    ends = list(itertools.accumulate(lens))
    return [in_list[end - length : end] for end, length in zip(ends, lens, strict=True)]


def concat_list(in_list: Iterable[Iterable[T]]) -> list[T]:
    """Join lists into one."""
    return list(itertools.chain.from_iterable(in_list))
