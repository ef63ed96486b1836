"""Named values of two sides: what only one has, what differs; and rows in columns."""

from __future__ import annotations

import math

import pytest

from mainspring.columns import in_columns
from mainspring.comparison import MISSING, different, in_short, is_number, pairs, same_numbers


def test_pairs_come_in_the_order_of_the_first_and_then_of_the_second():
    left, right = {"b": 1, "a": 2}, {"c": 3, "a": 4}
    assert list(pairs(left, right)) == [("b", 1, MISSING), ("a", 2, 4), ("c", MISSING, 3)]
    assert next(pairs(left, right, missing=None)) == ("b", 1, None)


def test_what_only_one_side_has_differs_and_equal_values_do_not():
    assert different({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 5}) == [
        ("b", 2, 5),
        ("c", 3, MISSING),
    ]
    assert different({}, {}) == []


def test_sameness_is_asked_only_where_both_have_a_value():
    asked = []

    def same(one, other):
        asked.append((one, other))
        return True

    assert different({"a": 1, "b": 2}, {"b": 3}, same) == [("a", 1, MISSING)]
    assert asked == [(2, 3)]


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [(1, 1.0, True), (math.nan, math.nan, True), (math.nan, 1.0, False), (0.0, -0.0, True)],
)
def test_numbers_are_the_same_by_value(one, other, same):
    assert same_numbers(one, other) is same


def test_a_truth_value_is_no_number():
    assert [is_number(value) for value in (1, 1.5, True, "1", None)] == [True, True] + [False] * 3


def test_a_long_value_is_cut_to_the_length_that_is_allowed():
    assert in_short("word") == "word"
    assert in_short([1, 2]) == "[1, 2]"
    assert in_short("x" * 11, longest=10) == "x" * 7 + "..."


def test_columns_are_as_wide_as_their_widest_cell_and_lines_end_without_blanks():
    rows = [["name", "size", ""], ["a", "1000", "x"], ["longer", "1", ""]]
    assert in_columns(rows, right=[1]) == [
        "name    size",
        "a       1000  x",
        "longer     1",
    ]
    assert in_columns([]) == []
