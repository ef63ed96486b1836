"""The leaves of nested data, and by how much two tensors differ."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from typing import NamedTuple

import numpy as np
import pytest
import torch

from mainspring.structures.nested_digest import leaf_in_short, named_leaves, nested_digest
from mainspring.structures.tensor_difference import (
    relative_difference,
    tensor_difference,
)


class Pair(NamedTuple):
    left: int
    right: int


@dataclass
class Box:
    sides: list[int]


class Image:
    """Gives its bytes, as an image of Pillow does, and holds what is no part of them."""

    def __init__(self, content: bytes):
        self.content = content
        self.handle = object()

    def tobytes(self):
        return self.content


@pytest.mark.parametrize(
    ("data", "brackets", "dotted"),
    [
        ({"a": [1, 2]}, [".a[0]", ".a[1]"], [".a.0", ".a.1"]),
        (Pair(1, 2), [".left", ".right"], [".left", ".right"]),
        (Box([3]), [".sides[0]"], [".sides.0"]),
        ({"a": [], "b": 1}, [".a", ".b"], [".b"]),
        (np.array([1, None], dtype=object), ["[0]", "[1]"], [".0", ".1"]),
        (Image(b"x"), [""], [""]),
    ],
)
def test_paths_lead_to_leaves_with_indices_in_brackets_or_behind_dots(data, brackets, dotted):
    assert [path for path, _ in named_leaves(data)] == brackets
    assert [path for path, _ in named_leaves(data, dotted=True)] == dotted


def test_a_leaf_in_short_is_itself_or_a_digest_that_tells_contents_apart():
    assert [leaf_in_short(leaf) for leaf in (1, 0.5, "a", None, torch.tensor(2))] == [
        1, 0.5, "a", None, 2,
    ]  # fmt: skip
    one, other = (leaf_in_short(torch.tensor([value])) for value in (1.0, 2.0))
    assert one.startswith("float32 (1,) ")
    assert one != other
    assert leaf_in_short(Image(b"x")) != leaf_in_short(Image(b"y"))
    assert leaf_in_short(object()) == "object"


def test_objects_that_differ_in_what_they_say_have_digests_of_their_own():
    assert nested_digest(date(2026, 1, 1)) != nested_digest(date(2026, 1, 2))
    assert nested_digest(Image(b"x")) != nested_digest(Image(b"y"))
    assert nested_digest(object()) == nested_digest(object())


def test_equal_tensors_have_no_difference_and_nan_equals_nan():
    values = torch.tensor([1.0, math.nan, math.inf])
    assert tensor_difference(values, values.clone()) is None
    assert tensor_difference(values, values.clone(), bits=True) is None
    assert tensor_difference(torch.tensor([0.0]), torch.tensor([-0.0])) is None
    assert tensor_difference(torch.tensor([0.0]), torch.tensor([-0.0]), bits=True).count == 1


def test_a_difference_is_counted_and_measured():
    found = tensor_difference(torch.tensor([4.0, 1.0, 2.0]), torch.tensor([4.0, 1.5, 4.0]))
    assert (found.count, found.largest, found.relative) == (2, 2.0, 0.5)
    assert tensor_difference(torch.zeros(1), torch.ones(1)).relative == math.inf
    assert math.isnan(tensor_difference(torch.tensor([math.nan]), torch.ones(1)).largest)


def test_whole_numbers_and_types_are_compared_by_value():
    large = 2**25 + 1  # no float32 is equal to it
    assert tensor_difference(torch.tensor([large]), torch.tensor([float(large)])).largest == 1.0
    assert tensor_difference(torch.tensor([3]), torch.tensor([3.0])) is None


def test_the_step_to_the_next_number_is_one_unit_in_the_last_place():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        one = torch.ones(1, dtype=dtype)
        following = torch.nextafter(one, torch.full_like(one, 2))
        assert tensor_difference(one, following, bits=True).units == 1


def test_the_relative_difference_is_that_of_norms():
    assert relative_difference(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0])) == 0.2
    assert relative_difference(torch.ones(1), torch.ones(2)) == math.inf
