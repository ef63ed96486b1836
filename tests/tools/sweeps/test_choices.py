"""Choices as words of a command line, as labels and as names of folders."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.config import L
from mainspring.config.override import parse_override
from mainspring.config.sweep import Sweep
from mainspring.errors import ConfigError
from mainspring.tools.sweeps.choices import (
    Choice,
    axis_of_sweep,
    axis_of_word,
    folder_names,
    label_of,
    short_names,
)

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.tuples(inner, inner),
    max_leaves=5,
)


def texts(axis):
    return [choice.text for choice in axis.choices]


@pytest.mark.parametrize(
    ("word", "name", "expected"),
    [
        ("lr=1e-3,1e-4", "lr", ["1e-3", "1e-4"]),
        ("model.width=16,32", "model.width", ["16", "32"]),
        ("size=[1,2],[3,4]", "size", ["[1,2]", "[3,4]"]),
        ("size=(1, 2),(3, 4)", "size", ["(1, 2)", "(3, 4)"]),
        ("act=relu, gelu", "act", ["relu", "gelu"]),
        ("act=choice(relu,gelu)", "act", ["relu", "gelu"]),
        ("opt={'a': 1, 'b': 2},{'a': 3}", "opt", ["{'a': 1, 'b': 2}", "{'a': 3}"]),
        ("text='a,b','c'", "text", ["'a,b'", "'c'"]),
    ],
)
def test_words_are_split_at_commas_outside_of_brackets(word, name, expected):
    axis = axis_of_word(word)
    assert (axis.name, texts(axis)) == (name, expected)


@pytest.mark.parametrize("word", ["epochs=3", "size=[1,2]", "name=resnet", "~val_cfg", "+new=1,2"])
def test_a_single_value_sweeps_nothing(word):
    assert axis_of_word(word) is None


def test_a_range_on_the_command_line():
    axis = axis_of_word("lr=loguniform(1e-5, 1e-2)")
    assert (axis.range.low, axis.range.high, axis.range.log) == (1e-5, 1e-2, True)


@pytest.mark.parametrize(
    "word",
    ["lr=uniform(1)", "lr=uniform(2,1)", "lr=loguniform(0,1)", "lr=uniform(a,b)", "lr=sweep(1)"],
)
def test_what_is_no_sweep_is_refused(word):
    with pytest.raises(ConfigError):
        axis_of_word(word)


def test_a_value_that_stands_twice_is_refused():
    with pytest.raises(ConfigError, match="twice"):
        axis_of_word("lr=1,2,1")


@given(PLAIN, PLAIN)
def test_the_text_of_a_choice_reads_back_as_the_value(first, second):
    if repr(first) == repr(second):
        return
    axis = axis_of_sweep("x", ("x",), Sweep((first, second)))
    for index, (choice, value) in enumerate(zip(axis.choices, (first, second), strict=True)):
        if choice.text != f"sweep[{index}]":
            assert repr(parse_override(f"x={choice.text}").value) == repr(value)


def test_numbers_and_names_are_chosen_by_themselves_and_the_rest_by_number():
    values = (1, 0.001, True, None, "relu", [1, 2], (3, 4), "12", dict(a=1), L(dict)(a=1))
    axis = axis_of_sweep("x", ("x",), Sweep(values))
    assert texts(axis) == [
        *("1", "0.001", "True", "None", "relu", "[1,2]", "(3,4)"),
        *("sweep[7]", "sweep[8]", "sweep[9]"),
    ]


def test_labels_are_short_and_in_one_line():
    assert label_of(L(dict)(depth=50, sizes=[1, 2])) == "dict(depth=50, sizes=[1, 2])"
    assert label_of(dict(type="torch.optim.SGD", lr=0.1)) == "SGD(lr=0.1)"
    assert label_of(Choice) == "Choice"
    assert label_of("a\nb") == "a b"
    assert len(label_of("x" * 1000)) < 60


def test_equal_labels_are_told_apart():
    axis = axis_of_sweep("x", ("x",), Sweep((["x" * 60, 1], ["x" * 60, 2])))
    assert len({choice.label for choice in axis.choices}) == 2


def test_paths_are_shortened_as_far_as_they_stay_apart():
    names = ["lr", "optim_wrapper.optimizer.weight_decay", "a.rate", "b.rate", "hooks.0", "x.lr"]
    assert short_names(names) == {
        "lr": "lr",
        "optim_wrapper.optimizer.weight_decay": "weight_decay",
        "a.rate": "a.rate",
        "b.rate": "b.rate",
        "hooks.0": "hooks.0",
        "x.lr": "x.lr",
    }


def choices(**values):
    return {name: Choice(str(value), label_of(value), value) for name, value in values.items()}


def test_folders_are_named_after_the_choices():
    assert folder_names([choices(lr=0.001, width=16)]) == ["lr=0.001,width=16"]


@given(st.lists(st.text(max_size=300), min_size=1, max_size=4, unique=True))
def test_folders_are_safe_and_different(values):
    names = folder_names([choices(value=value) for value in values])
    assert all(re.fullmatch(r"[\w.,=+\-]{1,100}", name, re.ASCII) for name in names)
    assert len({name.lower() for name in names}) == len(names) or len(set(values)) > len(
        {value.lower() for value in values}
    )
    assert len(set(names)) == len(names)
