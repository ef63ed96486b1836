"""From a config that sweeps to its runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.tools.sweeps import axis_of_word, combinations, grid_runs


def words_of(found):
    return [list(each.words) for each in found]


def test_variables_and_values_inside_of_calls_are_combined(load):
    found = combinations(
        load("epochs = sweep(10, 20)\nwarm = epochs // 5\nmodel = A(net=B(width=sweep(16, 32)))\n"),
        ["+extra=1"],
        [],
    )
    assert words_of(found) == [
        ["+extra=1", "epochs=10", "model.net.width=16"],
        ["+extra=1", "epochs=10", "model.net.width=32"],
        ["+extra=1", "epochs=20", "model.net.width=16"],
        ["+extra=1", "epochs=20", "model.net.width=32"],
    ]
    assert [each.config.warm for each in found] == [2, 2, 4, 4]
    assert len({each.digest for each in found}) == 4


def test_lists_and_dicts_are_reached(load):
    text = "hooks = [dict(rate=sweep(1, 2))]\nopt = dict(deep=dict(lr=sweep(0.1, 0.2)))\n"
    found = combinations(load(text), [], [])
    assert words_of(found)[0] == ["hooks.0.rate=1", "opt.deep.lr=0.1"]
    assert found[3].config.opt.deep.lr == 0.2


def test_one_sweep_in_two_places_is_chosen_once(load):
    found = combinations(load("opt = dict(lr=sweep(1, 2))\nmodel = A(opt=opt)\n"), [], [])
    assert words_of(found) == [
        ["opt.lr=1", "model.opt.lr=1"],
        ["opt.lr=2", "model.opt.lr=2"],
    ]


def test_a_positional_argument_gets_its_name(load, tmp_path, monkeypatch):
    (tmp_path / "garden.py").write_text("class Bed:\n    def __init__(self, width, soil=1): ...\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    found = combinations(load("from garden import Bed\nmodel = Bed(sweep(1, 2))\n"), [], [])
    assert words_of(found) == [["model.width=1"], ["model.width=2"]]


def test_what_one_choice_leads_to_is_swept_there_only(load):
    text = "deep = sweep(True, False)\nif deep:\n    rate = sweep(0.1, 0.2)\n"
    assert words_of(combinations(load(text), [], [])) == [
        ["deep=True", "rate=0.1"],
        ["deep=True", "rate=0.2"],
        ["deep=False"],
    ]


def test_the_command_line_sweeps_and_chooses(load):
    text = "lr = sweep(0.1, 0.2)\nwidth = 8\ndouble = width * 2\n"
    found = combinations(load(text), ["lr=0.5"], [axis_of_word("width=16,32")])
    assert words_of(found) == [["lr=0.5", "width=16"], ["lr=0.5", "width=32"]]
    assert [each.config.double for each in found] == [32, 64]


def test_the_command_line_replaces_what_the_config_sweeps(load):
    found = combinations(load("lr = sweep(0.1, 0.2)\n"), [], [axis_of_word("lr=1,2,3")])
    assert words_of(found) == [["lr=1"], ["lr=2"], ["lr=3"]]


def test_parts_are_swept(load):
    text = "net = sweep(A(depth=1), B(width=2))\nmodel = C(net=net)\n"
    found = combinations(load(text), [], [])
    assert words_of(found) == [["net=sweep[0]"], ["net=sweep[1]"]]
    runs = grid_runs(found, Path("sweep"))
    assert [run.name for run in runs] == ["net=A(depth=1)", "net=B(width=2)"]
    assert len({each.digest for each in found}) == 2


def test_functions_that_describe_a_run(load, tmp_path):
    load("def train(lr: float = sweep(0.1, 0.2)):\n    return dict(model=A(lr=lr))\n")
    found = combinations(lambda words: Config.fromfile("config.py:train", overrides=words), [], [])
    assert words_of(found) == [["model.lr=0.1"], ["model.lr=0.2"]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("model = A(1)\n", "nothing is swept"),
        ("lr = loguniform(1e-4, 1)\n", "no end of values"),
        ("size = (sweep(1, 2), 3)\n", "in a tuple"),
        ("keys = {'a-b': sweep(1, 2)}\n", "a-b"),
        ("lr = sweep(1, 1)\n", "twice"),
        ("model = A(width=sweep(1, 2) * 2)\n", "none is chosen"),
    ],
)
def test_what_cannot_be_swept_is_refused(load, text, message):
    with pytest.raises(ConfigError, match=message) as caught:
        combinations(load(text), [], [])
    assert caught.value.help


def test_a_misspelt_name_is_refused_with_the_nearest(load):
    with pytest.raises(ConfigError, match="width"):
        combinations(load("width = 8\n"), [], [axis_of_word("widht=16,32")])
