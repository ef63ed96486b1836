"""The lines and changes that gave a value."""

from __future__ import annotations

from pathlib import Path

import pytest

from mainspring.config import Config
from mainspring.config.provenance.history import leaves, origins
from mainspring.errors import Location

HEAD = "from zoo import Net, Res\nfrom mainspring.config import copy, edit\n"
BASE = """from zoo import MultiStep, Net, Res
from mainspring.config import later

epochs = 12
model = Net(backbone=Res(depth=50, stages=1), classes=80)
scheduler = later(MultiStep)(milestones=[epochs * 2 // 3, epochs - 1])
"""
CHILD = """from zoo import Res
from mainspring.config import edit
from .base import *

edit(model).backbone = Res(depth=101)
edit(model).classes = 10
"""


@pytest.fixture
def read_child(write, read):
    write("base.py", BASE)

    def read_with(*overrides):
        return read(CHILD, overrides=overrides)

    return read_with


def chain(cfg, path):
    """Place, line, and the literal there."""
    return [
        (
            "" if origin.location is None else str(origin.location),
            origin.line,
            *([origin.value] if origin.is_literal else []),
        )
        for origin in origins(cfg, path)
    ]


def test_bases_come_before_children(read_child):
    assert chain(read_child(), "model.backbone.depth") == [
        ("base.py:5:26", "model = Net(backbone=Res(depth=50, stages=1), classes=80)", 50),
        ("run.py:5:28", "edit(model).backbone = Res(depth=101)", 101),
    ]


def test_the_command_line_comes_last(read_child):
    with pytest.warns(UserWarning, match="model.classes=20 has no effect"):
        cfg = read_child("model.classes=20", "model.classes=30")
    assert chain(cfg, "model.classes") == [
        ("base.py:5:47", "model = Net(backbone=Res(depth=50, stages=1), classes=80)", 80),
        ("run.py:6:13", "edit(model).classes = 10", 10),
        ("", "model.classes=20", 20),
        ("", "model.classes=30", 30),
    ]


def test_variables_that_a_value_is_computed_from_are_mentioned(read_child):
    line = "scheduler = later(MultiStep)(milestones=[epochs * 2 // 3, epochs - 1])"
    files = [("base.py:4:1", "epochs = 12", 12), ("base.py:6:30", line)]
    assert chain(read_child(), "scheduler.milestones") == files
    cfg = read_child("epochs=24")
    assert chain(cfg, "scheduler.milestones") == [*files, ("", "epochs=24", 24)]
    assert [origin.variable for origin in origins(cfg, "scheduler.milestones")] == [
        "epochs",
        None,
        "epochs",
    ]
    assert chain(cfg, "epochs") == [("base.py:4:1", "epochs = 12", 12), ("", "epochs=24", 24)]


def test_a_value_that_is_set_itself_is_computed_from_nothing(read_child):
    cfg = read_child("epochs=24", "scheduler.milestones=[1,2]")
    assert chain(cfg, "scheduler.milestones")[-1] == ("", "scheduler.milestones=[1,2]", [1, 2])
    assert ("", "epochs=24", 24) not in chain(cfg, "scheduler.milestones")


def test_variables_of_variables(read):
    cfg = read(HEAD + "n = 1\nm = n + 1\nmodel = Net(depth=m * 2, x=n)", overrides=["n=4"])
    assert chain(cfg, "model.depth") == [
        ("run.py:3:1", "n = 1", 1),
        ("run.py:4:1", "m = n + 1"),
        ("run.py:5:13", "model = Net(depth=m * 2, x=n)"),
        ("", "n=4", 4),
    ]


def test_arguments_of_a_function_are_variables(read):
    cfg = read(
        "from mainspring.runner import Runner\nfrom zoo import Net\n"
        "def run(depth=50):\n    return Runner(model=Net(depth=depth))",
        overrides=["depth=101"],
    )
    assert chain(cfg, "model.depth") == [
        ("run.py:3:9", "def run(depth=50):", 50),
        ("run.py:4:29", "return Runner(model=Net(depth=depth))"),
        ("", "depth=101", 101),
    ]


def test_of_a_part_the_changes_inside_of_it_as_well(read_child):
    assert chain(read_child("model.classes=20"), "model") == [
        ("base.py:5:1", "model = Net(backbone=Res(depth=50, stages=1), classes=80)"),
        ("run.py:5:13", "edit(model).backbone = Res(depth=101)"),
        ("run.py:6:13", "edit(model).classes = 10", 10),
        ("", "model.classes=20", 20),
    ]


def test_copies_have_the_history_of_the_original(read):
    cfg = read(HEAD + "a = Net(x=1, y=1)\nedit(a).y = 2\nb = copy(a)\nedit(b).x = 3")
    assert chain(cfg, "b.x") == [
        ("run.py:3:9", "a = Net(x=1, y=1)", 1),
        ("run.py:6:9", "edit(b).x = 3", 3),
    ]
    assert [value for *_, value in chain(cfg, "b.y")] == [1, 2]


def test_text_files_merge_with_their_bases(write, read):
    write("base.py", "lr = 0.1\nopt = dict(type='SGD', lr=lr)")
    cfg = read("_base_ = 'base.py'\nopt = dict(lr=0.2)", overrides=["opt.lr=0.3"])
    assert chain(cfg, "opt.lr") == [
        ("base.py:2:24", "opt = dict(type='SGD', lr=lr)"),
        ("run.py:2:12", "opt = dict(lr=0.2)", 0.2),
        ("", "opt.lr=0.3", 0.3),
    ]
    assert chain(cfg, "opt.type") == [("base.py:2:12", "opt = dict(type='SGD', lr=lr)", "SGD")]


def test_variables_of_a_text_base(write, read):
    write("base.py", "epochs = 12")
    cfg = read("_base_ = 'base.py'\nlast = {{_base_.epochs}}\nend = _base_.epochs - 1")
    expected = ("base.py:1:1", "epochs = 12", 12)
    assert chain(cfg, "last") == [expected, ("run.py:2:1", "last = {{_base_.epochs}}")]
    assert chain(cfg, "end") == [expected, ("run.py:3:1", "end = _base_.epochs - 1")]


def test_data_files(write, read):
    write("base.yaml", "model:\n  depth: 50\n")
    cfg = read('{"_base_": "base.yaml", "model": {"depth": 101}}', "run.json")
    assert chain(cfg, "model.depth") == [
        ("base.yaml:2:3", "depth: 50"),
        ("run.json:1:35", '{"_base_": "base.yaml", "model": {"depth": 101}}'),
    ]


def test_what_a_template_filled_is_no_literal(read, monkeypatch):
    monkeypatch.setenv("MS_N", "7")
    assert chain(read("n = {{$MS_N:1}}"), "n") == [("run.py:1:1", "n = {{$MS_N:1}}")]


def test_merged_values(read):
    cfg = read("a = dict(b=1)")
    cfg.merge_from_dict({"a.b": 2})
    assert chain(cfg, "a.b") == [
        ("run.py:1:10", "a = dict(b=1)", 1),
        ("", "Config.merge_from_dict"),
    ]


def test_items_that_the_command_line_appends_or_removes(read):
    cfg = read(HEAD + "hooks = [Net(n=1), Net(n=2)]", overrides=["hooks+=x", "~hooks.0"])
    line = "hooks = [Net(n=1), Net(n=2)]"
    assert chain(cfg, "hooks.0.n") == [("run.py:3:24", line, 2)]
    assert chain(cfg, "hooks.1") == [("", "hooks+=x", "x")]
    assert chain(cfg, "hooks") == [
        ("run.py:3:1", line),
        ("", "hooks+=x", "x"),
        ("", "~hooks.0"),
    ]


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("x.1", ["x.1=3"]),  # as the last one, which the file writes
        ("x.2.0", ["x.2.0=9"]),
        ("x.2.0", ["x.2=[9,8]"]),
        ("x.3.n", ["x.3={'t':'c','n':4}"]),
        ("x.4.depth", ["x.4=@zoo.Res(depth=7)"]),
    ],
)
def test_items_that_the_command_line_replaces(path, words, read):
    text = HEAD + "x = [1, 2, [3, 4], dict(t='a', n=1), Res(depth=5), 3]"
    cfg = read(text, overrides=words)
    assert chain(cfg, path)[-1][:2] == ("", words[-1])
    assert cfg.nearest_place(path).file == f"command line: {words[-1]}"
    assert str(cfg.nearest_place("x.5")).startswith("run.py:3:")
    cfg = read(text, overrides=["x.1=7", "~x.0"])
    assert [str(cfg.nearest_place(f"x.{n}"))[:8] for n in (0, 1, 4)] == [
        "command ",
        *["run.py:3"] * 2,
    ]


def test_positional_arguments_and_calls_that_hide_a_value(read):
    cfg = read(HEAD + "model = Net(Res(50))\nnets = dict(a=Net(**dict(x=1)))")
    assert chain(cfg, "model._args_.0._args_") == [("run.py:3:17", "model = Net(Res(50))")]
    assert chain(cfg, "nets.a.x") == [("run.py:4:26", "nets = dict(a=Net(**dict(x=1)))", 1)]


def test_a_path_that_is_not_there_has_none(read_child):
    assert chain(read_child(), "model.nothing") == []
    assert chain(read_child(), "nothing.at.all") == []


def test_leaves_are_what_holds_no_others(read_child):
    found = [(path, value) for path, value in leaves(read_child()) if not path.endswith(".type")]
    assert found == [
        ("epochs", 12),
        ("model.backbone.depth", 101),
        ("model.classes", 10),
        ("scheduler.milestones", [8, 11]),
    ]


def test_every_leaf_of_a_file_has_an_origin(read_child):
    cfg = read_child("epochs=3")
    assert all(origins(cfg, path) for path, _ in leaves(cfg))


def test_keys_with_dots(read):
    cfg = read("keys = {'.embed': dict(decay=0), 'a.b.c': 1}")
    assert chain(cfg, "keys..embed.decay") == [
        ("run.py:1:24", "keys = {'.embed': dict(decay=0), 'a.b.c': 1}", 0)
    ]
    assert chain(cfg, "keys.a.b.c")[0][0] == "run.py:1:34"


def test_changes_of_the_base_and_parts_of_its_lists(write, read):
    write("base.py", "steps = [dict(n=0), dict(n=1), dict(n=2)]\nx = dict(y=1, z=1)")
    cfg = read(
        "_base_ = 'base.py'\n_base_.x.y = 2\nz = _base_.x\nz.z = 3\n"
        "steps = [*_base_.steps[:2], dict(n=9), *_base_.steps[2:]]"
    )
    assert chain(cfg, "x.y")[-1] == ("run.py:2:10", "_base_.x.y = 2", 2)
    assert chain(cfg, "z.z")[-1] == ("run.py:4:3", "z.z = 3", 3)
    values = [chain(cfg, f"steps.{index}.n")[-1][-1] for index in range(4)]
    assert values == [0, 1, 9, 2]


def test_keyword_arguments_that_a_function_passes_on(read):
    cfg = read(HEAD + "def net(n, **others):\n    return Net(n=n, **others)\nmodel = net(1, x=2)")
    assert chain(cfg, "model.x") == [("run.py:5:16", "model = net(1, x=2)", 2)]


def test_branches_and_loops(read):
    cfg = read(
        "small = True\nif small:\n    x = dict(n=1)\nelse:\n    x = dict(n=2)\n"
        "y = []\nfor i in range(3):\n    y.append(dict(n=i, t='a'))"
    )
    assert chain(cfg, "x.n") == [("run.py:3:14", "x = dict(n=1)", 1)]
    assert cfg.nearest_place("x.n") == Location("run.py", 3, 14)
    assert chain(cfg, "y.1.t") == [("run.py:8:24", "y.append(dict(n=i, t='a'))", "a")]


ZOO = Path(__file__).parent / "zoo"
CONFIGS = sorted(str(path.relative_to(ZOO)) for path in ZOO.glob("*/*.py"))


@pytest.mark.parametrize("name", CONFIGS)
def test_the_last_origin_of_a_value_is_where_it_is_written(name, monkeypatch):
    """Configs in the style of four projects: where a literal stands, it is the value."""
    monkeypatch.chdir(ZOO)
    monkeypatch.syspath_prepend(ZOO)
    cfg = Config.fromfile(name, import_custom_modules=False)
    for path, value in leaves(cfg):
        last = origins(cfg, path)[-1]
        assert cfg.nearest_place(path) == last.location
        if last.is_literal and last.variable is None:
            assert last.value == value, (path, last)
