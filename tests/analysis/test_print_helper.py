"""Tables and outlines of what a model computes."""

from __future__ import annotations

import textwrap
from collections import OrderedDict

import pytest
import torch
from torch import nn

from mainspring.analysis import ActivationAnalyzer, FlopAnalyzer, get_model_complexity_info
from mainspring.analysis.print_helper import (
    _format_size,
    complexity_stats_str,
    complexity_stats_table,
)


class Net(nn.Module):
    """A wrapped layer, one called by its forward, and an activation."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Sequential(nn.Linear(10, 10)))
        self.act = nn.ReLU()
        self.head = nn.Linear(10, 10)

    def forward(self, x):
        return self.head.forward(self.act(self.body(x)))


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0"),
        (100, "100"),
        (101, "0.101K"),
        (4000, "4K"),
        (123456, "0.123M"),
        (654321, "0.654M"),
        (4_130_000_000, "4.13G"),
        (3e12, "3T"),
        (1.5e15, "1.5P"),
        (-4000, "-4K"),
    ],
)
def test_numbers_with_units(number, text):
    assert _format_size(number) == text


def test_digits_and_zeros():
    assert _format_size(123456, sig_figs=4) == "0.1235M"
    assert _format_size(0, hide_zero=True) == ""


def analyzers():
    net, x = Net(), torch.ones(1, 10)
    return FlopAnalyzer(net, x), ActivationAnalyzer(net, x)


def test_an_outline():
    flops, activations = analyzers()
    note, _, outline = complexity_stats_str(flops, activations).partition("\n")
    assert note.startswith("N/A indicates")
    assert outline == textwrap.dedent(
        """\
        Net(
          #params: 0.22K, #flops: 0.2K, #acts: 20
          (body): Sequential(
            #params: 0.11K, #flops: 100, #acts: 10
            (0): Sequential(
              #params: 0.11K, #flops: 100, #acts: 10
              (0): Linear(
                in_features=10, out_features=10, bias=True
                #params: 0.11K, #flops: 100, #acts: 10
              )
            )
          )
          (act): ReLU()
          (head): Linear(
            in_features=10, out_features=10, bias=True
            #params: 0.11K, #flops: N/A, #acts: N/A
          )
        )"""
    )


def rows(table):
    lines = [line for line in table.splitlines() if line.startswith("|")]
    return [[cell.rstrip()[1:] for cell in line.strip("|").split("|")] for line in lines]


def test_a_table():
    flops, activations = analyzers()
    assert rows(complexity_stats_table(flops, activations=activations)) == [
        ["module", "#parameters or shape", "#flops", "#activations"],
        ["model", "0.22K", "0.2K", "20"],
        [" body.0.0", " 0.11K", " 100", " 10"],
        ["  body.0.0.weight", "  (10, 10)", "", ""],
        ["  body.0.0.bias", "  (10,)", "", ""],
        [" head", " 0.11K", "", ""],
        ["  head.weight", "  (10, 10)", "", ""],
        ["  head.bias", "  (10,)", "", ""],
    ]


def test_a_table_without_parameters_or_depth():
    flops, _ = analyzers()
    table = rows(complexity_stats_table(flops, show_param_shapes=False))
    assert table[0] == ["module", "#parameters", "#flops"]
    assert [row[0] for row in table[1:]] == ["model", " body.0.0", " head"]
    assert len(rows(complexity_stats_table(flops, max_depth=1))) == 4


def test_a_model_that_only_wraps_goes_by_what_it_wraps():
    model = nn.Sequential(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)))
    table = rows(complexity_stats_table(FlopAnalyzer(model, torch.ones(1, 2)), max_depth=1))
    assert [row[0] for row in table[1:]] == ["0", " 0", " 1"]


def test_a_long_name_is_not_cut():
    model = nn.Sequential(OrderedDict([("x" * 150, nn.Linear(2, 2)), ("y", nn.Linear(2, 2))]))
    assert "x" * 150 in complexity_stats_table(FlopAnalyzer(model, torch.ones(1, 2)))


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(5, 6), nn.Linear(7, 6)

    def forward(self, x, y, weight=1.0):
        return self.a(x) + weight * self.b(y)


def test_all_at_once():
    info = get_model_complexity_info(Net(), (10,))
    assert (info["flops"], info["activations"], info["params"]) == (200, 20, 220)
    assert (info["flops_str"], info["activations_str"], info["params_str"]) == (
        "0.2K",
        "20",
        "0.22K",
    )
    assert info["out_table"].startswith("\n+")
    assert "#flops" in info["out_arch"]
    info = get_model_complexity_info(Net(), (10,), show_table=False, show_arch=False)
    assert info["out_table"] == info["out_arch"] == ""


@pytest.mark.parametrize(
    "given",
    [
        dict(input_shape=((9, 5), (9, 7))),
        dict(inputs=(torch.ones(1, 9, 5), torch.ones(1, 9, 7))),
        dict(inputs=(torch.ones(1, 9, 5), torch.ones(1, 9, 7), 0.3)),
    ],
)
def test_several_inputs(given):
    assert get_model_complexity_info(Two(), **given)["flops"] == 9 * 6 * (5 + 7)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (dict(), "neither of input_shape and inputs"),
        (dict(input_shape=(10,), inputs=torch.ones(1, 10)), "both of input_shape and inputs"),
        (dict(input_shape=[10]), r"input_shape is \[10\]"),
        (dict(input_shape=((10,), 3)), r"input_shape is \(\(10,\), 3\)"),
        (dict(input_shape=()), r"input_shape is \(\)"),
    ],
)
def test_inputs_that_are_none(given, message):
    with pytest.raises(ValueError, match=message):
        get_model_complexity_info(Net(), **given)


def test_a_model_without_parameters():
    assert get_model_complexity_info(nn.Upsample(2), (3, 1, 1))["params"] == 0
