"""Which values certainly are not what an annotation says; all else passes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Optional, Protocol, TypeVar, Union

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.check.annotations import annotation_of, shown_annotation, violates
from mainspring.config import ConfigDict, L, Node
from mainspring.config.lazy import LazyObject

T = TypeVar("T")


class Anything(Protocol):
    def run(self) -> None: ...


WRONG = [
    ("1", int),
    (1.5, int),
    (None, int),
    ([1], int),
    ("1e-3", float),
    (None, float),
    (3, str),
    (None, str),
    (2, bool),
    ("yes", bool),
    (3, None),
    ("c", Literal["a", "b"]),
    (1, Literal["a", 2]),
    (True, Literal[1]),
    ("x", int | None),
    ("x", Optional[float]),  # noqa: UP045 - both spellings are meant
    ("x", Union[int, float]),  # noqa: UP007 - both spellings are meant
    ("x", Annotated[int, "size"]),
    ("x", list),
    (3, list[int]),
    (["x"], list[int]),
    (3, Sequence[int]),
    (["x"], Sequence[int]),
    ("abc", Sequence[int]),
    (dict(a=1), Sequence[int]),
    ([1, "x"], tuple[int, ...]),
    ([1, 2, 3], tuple[int, int]),
    ((1, "x"), tuple[int, int]),
    ("ab", tuple[str, str]),
    ([1], dict),
    (3, Mapping[str, int]),
    (dict(a="x"), dict[str, int]),
    ([dict(a="x")], list[dict[str, int]]),
    (L(Path)("x"), int),
    (L.late(int)(), int),
]

RIGHT = [
    (1, int),
    (True, int),
    (1, float),
    (1.5, float),
    (True, bool),
    (0, bool),
    ("x", str),
    (None, None),
    (None, int | None),
    ("a", Literal["a", "b"]),
    (2, Literal["a", 2]),
    ([1, 2], list[int]),
    ((1, 2), list[int]),
    ([1, 2], tuple[int, int]),
    ((), tuple[()]),
    ([], tuple[int, ...]),
    ("abc", Sequence[str]),
    ("abc", Iterable[str]),
    ([1, 2.5], Sequence[float]),
    (dict(a=1), dict[str, int]),
    (ConfigDict(a=1), dict[str, int]),
    (ConfigDict(a=1), Mapping[str, Any]),
    (dict(a=1), Iterable[str]),
    # what is not known passes
    ("x", Path),
    ("x", Anything),
    ("x", T),
    ("x", Any),
    ("x", object),
    ("x", Callable[[], int]),
    ("x", type[int]),
    ("x", int | Path),
    (dict(type="X"), Path),
    (np.int64(3), int),
    (np.float32(3), float),
    (LazyObject("torch", "float16"), int),
    (L(Path)("x"), Path),
    (L(Path)("x"), Sequence[int]),
    (L(int)("3"), int),
    (L(int)("3"), float),
    (L(len)([]), int),
]


def target_of(call: Node):
    return dict.__getitem__(call, "type")


@pytest.mark.parametrize(("value", "annotation"), WRONG)
def test_certainly_wrong(value, annotation):
    assert violates(value, annotation, target_of)


@pytest.mark.parametrize(("value", "annotation"), RIGHT)
def test_not_certainly_wrong(value, annotation):
    assert not violates(value, annotation, target_of)


def test_annotations_that_cannot_be_evaluated_say_nothing():
    def function(a: int, b: NoSuchName, c: list[int], d): ...  # noqa: F821 - as behind TYPE_CHECKING

    parameters = inspect.signature(function).parameters
    found = [annotation_of(function, parameter) for parameter in parameters.values()]
    assert found == [int, object, list[int], object]


@pytest.mark.parametrize(
    ("annotation", "shown"),
    [
        (int, "int"),
        (int | None, "int | None"),
        (Optional[float], "float | None"),  # noqa: UP045 - both spellings are meant
        (Literal["a", "b"] | None, "'a' | 'b' | None"),
        (Sequence[int], "Sequence[int]"),
        (tuple[int, ...], "tuple[int, ...]"),
    ],
)
def test_annotations_are_shown_as_they_are_written(annotation, shown):
    assert shown_annotation(annotation) == shown


PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda items: st.lists(items, max_size=3) | st.dictionaries(st.text(max_size=2), items),
    max_leaves=6,
)


@given(value=PLAIN)
def test_a_value_never_violates_the_annotation_of_its_own_type(value):
    assert not violates(value, type(value))
    assert not violates(value, type(value) | None)
    assert not violates([value], list[type(value)])
    assert not violates(dict(a=value), Mapping[str, type(value)])
    assert not violates((value, value), tuple[type(value), type(value)])
