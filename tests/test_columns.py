"""Tables, numbers, times and curves, as a person reads them."""

import math

import pytest

from mainspring.columns import (
    as_bytes,
    as_duration,
    as_number,
    counted,
    in_columns,
    sparkline,
    with_unit,
)


def test_columns_are_left_out_until_a_line_fits():
    rows = [("run", "began", "best"), ("first", "2026-01-01", "0.5")]
    for room, shown in ((23, (0, 1, 2)), (22, (0, 1)), (16, (0,)), (2, (0,))):
        fitting = in_columns(rows, spare=[2, 1], room=room)
        assert fitting == in_columns([tuple(row[number] for number in shown) for row in rows])


def test_columns_are_as_wide_as_their_widest_cell():
    rows = [("name", "value"), ("loss", "0.5"), ("accuracy", "98.33")]
    assert in_columns(rows, right=[1]) == [
        "name      value",
        "loss        0.5",
        "accuracy  98.33",
    ]


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.04123, "0.0412"),
        (9.87654, "9.8765"),
        (98.3333, "98.33"),
        (1234.56, "1234.6"),
        (0.0000123, "1.23e-05"),
        (-2.5e7, "-2.50e+07"),
        (0.0, "0.0000"),
        (12345, "12345"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_a_number_takes_few_characters(value, shown):
    assert as_number(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(0, "0:00"), (7.9, "0:07"), (3723, "1:02:03"), (86400 * 3 + 4 * 3600 + 5 * 60, "3d 04:05")],
)
def test_a_time_is_shown_in_the_units_that_matter(seconds, shown):
    assert as_duration(seconds) == shown


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (as_bytes(512), "512 B"),
        (as_bytes(1866), "1.87 kB"),
        (as_bytes(999_600), "1 MB"),
        (as_bytes(2.5e15), "2.5e+03 TB"),
        (with_unit(0), "0 "),
        (with_unit(1.02e9), "1.02 G"),
        (with_unit(999.6), "1 k"),
        (with_unit(5 * 2**20, ("B", "KiB", "MiB"), 1024), "5 MiB"),
        (counted(1, "epoch"), "1 epoch"),
        (counted(0, "epoch"), "0 epochs"),
    ],
)
def test_an_amount_takes_three_digits_and_a_unit(shown, expected):
    assert shown == expected


def test_a_sparkline_spans_from_the_least_to_the_greatest():
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    line = sparkline([math.cos(step / 100 * math.pi) for step in range(101)], width=10)
    assert len(line) == 10
    assert (line[0], line[-1]) == ("█", "▁")
    assert sparkline([3e-3] * 50, width=5) == "▄▄▄▄▄"
    assert sparkline([math.nan, 1.0, math.inf, 2.0]) == "▁█"
    assert sparkline([]) == ""
    assert sparkline([7.0]) == "▄"
