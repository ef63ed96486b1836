"""`sweep` and its siblings in a config: what stands for several values, and how one is chosen."""

from __future__ import annotations

import copy
import pickle

import pytest

from mainspring.config import Config, ConfigDict
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.sweep import (
    Range,
    Sweep,
    choice,
    finding_sweeps,
    loguniform,
    refuse_unchosen,
    sweep,
    sweeps_in,
    uniform,
)
from mainspring.errors import ConfigError

HEAD = "from mainspring.config import choice, loguniform, sweep, uniform\nfrom zoo import A, B, C\n"


def raw(cfg, path):
    value = cfg._cfg_dict
    for name in path.split("."):
        value = value[int(name)] if isinstance(value, list) else dict.__getitem__(value, name)
    return value


def test_a_variable_takes_the_value_that_the_command_line_chooses(read):
    text = HEAD + "epochs = sweep(10, 20)\nwarmup = epochs // 5\n"
    cfg = read(text, overrides=["epochs=20"])
    assert (cfg.epochs, cfg.warmup) == (20, 4)


def test_any_value_can_be_chosen(read):
    assert read(HEAD + "lr = sweep(0.1, 0.2)\n", overrides=["lr=0.5"]).lr == 0.5


def test_parts_are_chosen_by_their_number(read):
    text = HEAD + "net = sweep(A(depth=1), B(width=2))\nmodel = C(net=net)\n"
    cfg = read(text, overrides=["net=sweep[1]"])
    assert str(raw(cfg, "net.type")) == "B"
    assert raw(cfg, "model.net.width") == 2
    assert not list(sweeps_in(cfg._cfg_dict))


def test_parts_inside_of_calls_are_chosen_by_their_number(read):
    text = HEAD + "model = C(net=sweep(A(depth=1), B(width=2)))\n"
    cfg = read(text, overrides=["model.net=sweep[0]"])
    assert raw(cfg, "model.net.depth") == 1


def test_a_number_beyond_the_values_is_refused(read):
    with pytest.raises(ConfigError, match=r"sweep\[2\].*2 values") as caught:
        read(HEAD + "lr = sweep(0.1, 0.2)\n", overrides=["lr=sweep[2]"])
    assert caught.value.location.line == 3


@pytest.mark.parametrize(
    "use",
    [
        "epochs // 3",
        "2 * epochs",
        "-epochs",
        "epochs > 3",
        "epochs == 3",
        "f'{epochs}'",
        "str(epochs)",
        "int(epochs)",
        "range(epochs)",
        "list(epochs)",
        "epochs[0]",
        "1 if epochs else 2",
        "epochs.real",
        "epochs()",
    ],
)
def test_a_value_that_is_not_chosen_cannot_be_used(read, use):
    with pytest.raises(ConfigError) as caught:
        read(HEAD + f"epochs = sweep(10, 20)\nother = {use}\n")
    assert caught.value.location.line == 4
    assert "epochs is sweep(10, 20), of which none is chosen yet" in str(caught.value)
    assert "choose: epochs=10" in caught.value.help


def test_a_value_without_a_variable_asks_for_one(read):
    with pytest.raises(ConfigError) as caught:
        read(HEAD + "model = A(width=sweep(16, 32) * 2)\n")
    assert "x = sweep(16, 32)" in caught.value.help


def test_finding_gives_first_values_so_that_everything_loads(read):
    with finding_sweeps() as found:
        cfg = read(
            HEAD + "epochs = sweep(10, 20)\nwarmup = epochs // 5\nlr = loguniform(1e-4, 1)\n"
        )
    assert cfg.warmup == 2
    assert {name: repr(value) for name, value in found.items()} == {
        "epochs": "sweep(10, 20)",
        "lr": "loguniform(0.0001, 1.0)",
    }


def test_a_chosen_value_is_not_found(read):
    with finding_sweeps() as found:
        read(HEAD + "epochs = sweep(10, 20)\n", overrides=["epochs=3"])
    assert not found


@pytest.mark.parametrize("base", ["from .base import *", "from .base import size, width", "_base_"])
def test_a_child_that_sets_what_its_base_sweeps_ends_the_sweep(write, read, base):
    write("base.py", HEAD + "size = sweep(1, 2)\nwidth = sweep(1, 2)\n")
    base = f"{HEAD}_base_ = './base.py'" if base == "_base_" else base
    with finding_sweeps() as found:
        cfg = read(f"{base}\nsize = 1\n")
    assert list(found) == ["width"]
    assert (cfg.size, cfg.width) == (1, 1)


def test_a_run_is_refused_with_the_place(read):
    cfg = read(HEAD + "lr = 1\nmodel = A(net=[B(width=sweep(16, 32))])\n")
    with pytest.raises(ConfigError) as caught:
        refuse_unchosen(cfg)
    assert str(caught.value.location) == "run.py:4:24"
    assert caught.value.config_path == "model.net.0.width"
    assert caught.value.help == "run `mainspring sweep`, or choose: model.net.0.width=16"


def test_a_complete_config_is_not_refused(read):
    text = HEAD + "lr = sweep(1, 2)\nmodel = A(lr)\n"
    with pytest.raises(ConfigError):
        refuse_unchosen(read(text))
    cfg = read(text, overrides=["lr=1"])
    refuse_unchosen(cfg)
    assert cfg.lr == 1
    values = {"model": {"depth": 1}, "hooks": [1, (2,)]}
    refuse_unchosen(values)
    assert values == {"model": {"depth": 1}, "hooks": [1, (2,)]}


@pytest.mark.parametrize("word", [sweep, choice])
def test_one_value_is_no_sweep(word):
    with pytest.raises(ConfigError, match="at least two"):
        word(1)


@pytest.mark.parametrize(
    ("word", "low", "high"),
    [(uniform, 1, 1), (uniform, 2, 1), (loguniform, 0, 1), (uniform, "a", 1), (uniform, 0, None)],
)
def test_a_range_needs_two_numbers_in_order(word, low, high):
    with pytest.raises(ConfigError, match="is no range"):
        word(low, high)


def test_ranges_keep_their_bounds():
    value = loguniform(1e-5, 1)
    assert isinstance(value, Range)
    assert (value.low, value.high, value.log) == (1e-5, 1.0, True)
    assert not uniform(0, 1).log


def test_outside_of_a_config_a_sweep_is_an_ordinary_object():
    value = sweep(1, 2)
    assert value == sweep(1, 2)
    assert value != sweep(1, 3)
    assert copy.deepcopy(value) is value
    assert pickle.loads(pickle.dumps(value)) == value
    assert (repr(value), bool(value)) == ("sweep(1, 2)", True)
    with pytest.raises(ConfigError):
        value + 1
    with pytest.raises(AttributeError):
        value.nothing


def test_a_config_without_a_file_can_hold_one():
    with pytest.raises(ConfigError, match=r"lr is sweep\(1, 2\)"):
        refuse_unchosen(Config(ConfigDict(lr=Sweep((1, 2)))))


def test_nothing_is_imported_for_it(read):
    with keeping_lazy():
        cfg = read(HEAD + "model = A(lr=sweep(1, 2))\n")
        with pytest.raises(ConfigError):
            refuse_unchosen(cfg)
