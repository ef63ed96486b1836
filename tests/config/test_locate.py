"""Config.locate: where a value was written."""

from __future__ import annotations

import copy

import pytest

from mainspring.config import Config

BASE = """lr = 0.1
head = dict(classes=10)
model = dict(
    type='Net',
    backbone={
        'depth': 50,
    },
    head=head,
)
hooks = [dict(type='A'), dict(type='B', every=1)]
first, second = 1, dict(x=2)
"""


def place(cfg, path):
    found = cfg.locate(path)
    return None if found is None else str(found)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("lr", "run.py:1:1"),
        ("model", "run.py:3:1"),
        ("model.type", "run.py:4:5"),
        ("model.backbone", "run.py:5:5"),
        ("model.backbone.depth", "run.py:6:9"),
        ("model.head", "run.py:8:5"),
        ("model.head.classes", "run.py:2:13"),
        ("hooks.1", "run.py:10:26"),
        ("hooks.1.every", "run.py:10:41"),
        ("second.x", "run.py:11:25"),
        ("model.backbone.width", None),
        ("hooks.7", None),
        ("nothing", None),
    ],
)
def test_in_one_file(read, path, expected):
    assert place(read(BASE), path) == expected


def test_a_child_wins_over_its_base(write, read):
    write("base.py", BASE)
    cfg = read("_base_ = 'base.py'\nmodel = dict(backbone=dict(depth=101))\nlr = 0.2")
    assert place(cfg, "model.backbone.depth") == "run.py:2:28"
    assert place(cfg, "model.type") == "base.py:4:5"
    assert place(cfg, "lr") == "run.py:3:1"


def test_values_of_the_base_are_found_there(write, read):
    write("base.py", BASE)
    cfg = read("_base_ = 'base.py'\na = {{_base_.model.backbone}}\nb = dict(c=_base_.hooks)")
    assert place(cfg, "a") == "run.py:2:1"
    assert place(cfg, "a.depth") == "base.py:6:9"
    assert place(cfg, "b.c.0.type") == "base.py:10:15"


def test_changes_after_the_assignment(read):
    cfg = read(
        "model = dict(a=dict(x=1))\n"
        "model['a']['x'] = 2\n"
        "model.update(b=1)\n"
        "model.update(dict(c=dict(y=1)))\n"
        "copied = dict(model, d=4)\n"
    )
    assert place(cfg, "model.a.x") == "run.py:2:12"
    assert place(cfg, "model.b") == "run.py:3:14"
    assert place(cfg, "model.c.y") == "run.py:4:26"
    assert place(cfg, "copied.b") == "run.py:3:14"
    assert place(cfg, "copied.d") == "run.py:5:22"


def test_new_style_files(write, read):
    write("base.py", "from torch.optim import SGD\nopt = dict(type=SGD,\n           lr=1)")
    cfg = read("from .base import *\nopt.update(dict(x=2))\nopt.y = 3")
    assert place(cfg, "opt.lr") == "base.py:3:12"
    assert place(cfg, "opt.x") == "run.py:2:17"
    assert place(cfg, "opt.y") == "run.py:3:5"


def test_blocks_and_environment_variables(read):
    cfg = read("if True:\n    n = dict(a={{$MS_UNSET:1}}, b=2)\n")
    assert place(cfg, "n.b") == "run.py:2:33"


def test_columns_count_characters(read):
    assert place(read("a = dict(s='äöü', t=1)"), "a.t") == "run.py:1:19"


def test_yaml(read):
    cfg = read("a: 1\nmodel:\n  head: {type: A, n: 2}\n  list:\n    - x\n    - y: 1\n", "run.yaml")
    assert place(cfg, "model.head.n") == "run.yaml:3:19"
    assert place(cfg, "model.list.1.y") == "run.yaml:6:7"
    assert place(cfg, "model.nothing") is None


def test_json(read):
    cfg = read('{"a": true, "model": {\n  "head": {"n": [null, {"x": 1}]}}}', "run.json")
    assert place(cfg, "model") == "run.json:1:13"
    assert place(cfg, "model.head.n.1.x") == "run.json:2:25"


def test_toml(read):
    cfg = read("a = 1\n[model]\ntype = 'A'\n[model.head]\nn = 2\n", "run.toml")
    assert place(cfg, "a") == "run.toml:1:1"
    assert place(cfg, "model.head") == "run.toml:4:2"
    assert place(cfg, "model.head.n") == "run.toml:5:1"


def test_what_the_command_line_changed_is_in_no_file(read):
    cfg = read(BASE)
    cfg.merge_from_dict({"model.backbone.depth": 101, "hooks.0.type": "C"})
    assert place(cfg, "model.backbone.depth") is None
    assert place(cfg, "hooks.0.type") is None
    assert place(cfg, "model.backbone") == "run.py:5:5"
    assert place(cfg, "hooks.1.type") == "run.py:10:31"


def test_copies_know_it_too(read):
    cfg = read(BASE)
    assert place(copy.deepcopy(cfg), "lr") == "run.py:1:1"
    assert place(copy.copy(cfg), "lr") == "run.py:1:1"


def test_without_a_file_there_is_no_place():
    assert Config(dict(a=1)).locate("a") is None
    assert place(Config.fromstring("a = 1", ".py"), "a") == "<string>:1:1"


def test_names_defined_by_each_other_end(read):
    cfg = read("a = dict(x=1)\nb = a\na = b\nb = a\nc = dict(**a)")
    assert place(cfg, "c.x") == "run.py:1:10"
    assert place(cfg, "c.y") is None


# Recorded files

HEAD = """from zoo import AdamW, Head, Net, Res, Resize
from mainspring.config import copy, edit, include, later
"""


def marked(text):
    """A text without its marks, and the places that they stand before."""
    lines, places = [], []
    for row, line in enumerate(text.split("\n"), start=1):
        while "«" in line:
            places.append(f"run.py:{row}:{line.index('«') + 1}")
            line = line.replace("«", "", 1)
        lines.append(line)
    return "\n".join(lines), places


def found(cfg, path):
    place = cfg.nearest_place(path)
    return None if place is None else str(place)


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("model = Net(«backbone=Res(«depth=50))", ["model.backbone", "model.backbone.depth"]),
        ("model = «Net(backbone=«Res())", ["model.type", "model.backbone.type"]),
        ("opt = later(«AdamW)(«lr=1)", ["opt.type", "opt.lr"]),
        ("model = Net(«a=1, **dict(«b=2))", ["model.a", "model.b"]),
        ("model = Net(a=1)\nedit(model).«a = 2", ["model.a"]),
        ("model = Net(a=1, «b=1)\nedit(model).update(«a=2)", ["model.b", "model.a"]),
        ("model = Net(h=Head(n=1))\nedit(model).h.«n = 2", ["model.h.n"]),
        ("model = Net(h=Head(n=1))\nedit(model)['h'].«n = 2", ["model.h.n"]),
        ("model = Net(h=dict(n=1))\nh = edit(model.h)\nh.«n = 2", ["model.h.n"]),
        ("model = Net(h=Head(n=1))\nedit(model).«h = Head(«m=2)", ["model.h", "model.h.m"]),
        ("a = Net(«x=1, «y=1)\nb = copy(a)\nedit(b).«y = 2", ["a.x", "a.y", "b.y"]),
        ("a = Net(«x=1)\nb = copy(a)", ["b.x"]),
        ("def net(n):\n    h = Head(«n=n)\n    return Net(«h=h)\nm = net(3)", ["m.h.n", "m.h"]),
        ("heads = [Head(«n=c) for c in (1, 2)]", ["heads.1.n"]),
        ("small = True\nmodel = Net(«a=1) if small else Net(b=1)", ["model.a"]),
    ],
)
def test_in_a_recorded_file(read, text, paths):
    text, places = marked(HEAD + text)
    cfg = read(text)
    assert [found(cfg, path) for path in paths] == places


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        (
            "hooks = [«Head(n=1)]\nedit(hooks).append(«Head(«n=2))",
            ["hooks.0", "hooks.1", "hooks.1.n"],
        ),
        ("hooks = [«Head(n=1)]\nhooks += [«Head(n=2)]", ["hooks.0", "hooks.1"]),
        ("hooks = [«Head(n=1)]\nedit(hooks).extend([Net(), «Head()])", ["hooks.0", "hooks.2"]),
        ("hooks = [«Head(n=1)]\nedit(hooks).insert(0, «Head(n=2))", ["hooks.1", "hooks.0"]),
        ("hooks = [Head(n=1), «Head(n=2)]\nedit(hooks).pop(0)", ["hooks.0"]),
        ("hooks = [«Head(n=1), Head(n=2)]\nedit(hooks).pop()", ["hooks.0"]),
        ("hooks = [Head(n=1), «Head(n=2)]\ndel edit(hooks)[0]", ["hooks.0"]),
        ("a = [«Head(n=1), Head(n=2)]\nb = [Resize(), *a, «Net()]", ["b.1", "b.3"]),
        ("a = [Head(n=1), «Head(n=2)]\nb = a[1:] + [«Net()]", ["b.0", "b.1"]),
        ("a = [Head(n=1), «Head(n=2), Net()]\nb = a[1:-1]", ["b.0"]),
        ("a = [«Head(n=1)]\nb = a + a", ["b.0"]),
        ("hooks = [Head(n=1), Head(n=2)]\nedit(hooks)[-1].«n = 3", ["hooks.1.n"]),
        ("hooks = [Head(n=1), Head(n=2)]\nfor h in edit(hooks):\n    h.«n = 3", ["hooks.1.n"]),
    ],
)
def test_items_are_followed_through_changes_of_their_list(read, text, paths):
    text, places = marked(HEAD + text)
    cfg = read(text)
    assert [found(cfg, path) for path in paths] == places


def test_positional_arguments_are_found_by_number(read):
    text, places = marked(f"{HEAD}model = Net(«Res(«depth=50), «20, c=1)")
    cfg = read(text)
    paths = ["model._args_.0", "model._args_.0.depth", "model._args_.1"]
    assert [found(cfg, path) for path in paths] == places


def test_and_by_name_when_they_have_one(read, write, folder, monkeypatch):
    write("nets.py", "class Net:\n    def __init__(self, backbone, classes, c=0): ...\n")
    monkeypatch.syspath_prepend(folder)
    text, places = marked("from nets import Net\nmodel = «Net(«Net(1, 2), «20, «c=1)")
    cfg = read(text)
    assert found(cfg, "model.classes") == places[0]  # the call: the name is not known yet
    assert cfg.model.classes == 20
    names = ["model.type", "model.backbone", "model.classes", "model.c"]
    assert [found(cfg, name) for name in names] == places


def test_what_an_assignment_replaced_is_not_found_in_the_base(read, write):
    write("base.py", f"{HEAD}model = Net(backbone=Res(depth=50, stages=3))")
    cfg = read(f"{HEAD}from .base import *\nedit(model).backbone = Res(101)")
    assert cfg.locate("model.backbone.depth") is None
    assert found(cfg, "model.backbone.depth") == "run.py:4:24"
    assert found(cfg, "model.backbone") == "run.py:4:13"


@pytest.mark.parametrize(
    ("imports", "name"),
    [
        ("from .base import *", "model"),
        ("from .base import model as net", "net"),
        ("from . import base", "base.model"),
        ("base = include('./base.py')", "base.model"),
        ("include('./base.py')", "model"),
    ],
)
def test_values_of_bases_are_found_there(read, write, imports, name):
    write("base.py", f"{HEAD}model = Net(depth=50, n=1)")
    cfg = read(f"{HEAD}{imports}\nmine = copy({name})\nedit(mine).n = 2")
    assert found(cfg, "mine.depth") == "base.py:3:13"
    assert found(cfg, "mine.n") == "run.py:5:12"


def test_each_name_is_looked_for_in_its_own_base(read, write):
    write("a.py", f"{HEAD}model = Net(depth=50)")
    write("b.py", f"{HEAD}model = Net(depth=18)")
    cfg = read(f"{HEAD}from .a import model as one\nfrom .b import model as two")
    assert found(cfg, "one.depth") == "a.py:3:13"
    assert found(cfg, "two.depth") == "b.py:3:13"


def test_a_function_of_a_base(read, write):
    write("base.py", f"{HEAD}def net(n):\n    return Net(depth=n)")
    cfg = read("from .base import net\nfrom zoo import Net\nmodel = net(3)\nx = Net()")
    assert found(cfg, "model.depth") == "base.py:4:16"


# A run that is one call

RUNNER = "from mainspring.runner import ByEpoch, Runner\nfrom zoo import Net\n"


@pytest.mark.parametrize(
    "text",
    [
        "lr = 1\nrun = Runner(«model=Net(«depth=50), train_cfg=ByEpoch(«12))",
        "def run():\n    return Runner(«model=Net(«depth=50), train_cfg=ByEpoch(«12))",
        "def run() -> Runner:\n    a = 12\n    return Runner(«model=Net(«depth=50), train_cfg=ByEpoch(«a))",
        "def a(n):\n    return Runner(«model=Net(«depth=n), train_cfg=ByEpoch(«12))\ndef run() -> Runner:\n    return a(n=50)",
        "def run():\n    return dict(«model=Net(«depth=50), train_cfg=dict(«max_epochs=12))",
    ],
)
def test_a_run_that_is_one_call(write, text):
    text, places = marked(RUNNER + text)
    cfg = Config.fromfile(
        f"{write('run.py', text)}:run" if "def " in text else write("run.py", text)
    )
    paths = ["model", "model.depth", "train_cfg.max_epochs"]
    assert [found(cfg, path) for path in paths] == places


def test_of_several_functions_the_one_that_ran(write):
    text, places = marked(
        RUNNER + "def a() -> Runner:\n    return Runner(model=Net(depth=1))\n"
        "def b() -> Runner:\n    net = Net(«depth=2)\n    return Runner(«model=net)\n"
        "def c() -> Runner:\n    return Runner(model=Net(depth=3))\n"
    )
    cfg = Config.fromfile(f"{write('run.py', text)}:b")
    assert [found(cfg, path) for path in ("model.depth", "model")] == places


# What the command line changed


def test_items_keep_their_place_when_others_come_and_go(read):
    text, places = marked(f"{HEAD}hooks = [Head(n=1), «Head(n=2), «Head(n=3)]")
    cfg = read(text, overrides=["~hooks.0", "hooks+=x", "hooks.1.n=4"])
    assert [found(cfg, path) for path in ("hooks.0", "hooks.1")] == places
    assert found(cfg, "hooks.2") == "command line: hooks+=x"
    assert found(cfg, "hooks.1.n") == "command line: hooks.1.n=4"


def test_a_variable_that_took_effect_is_where_it_is_assigned(read):
    text, places = marked(f"{HEAD}«n = 1\nmodel = Net(«depth=n)")
    cfg = read(text, overrides=["n=2"])
    assert [found(cfg, path) for path in ("n", "model.depth")] == places


def test_nothing_is_imported_for_it(read):
    cfg = read("from nowhere import Net\nmodel = Net(1, b=Net(2))")
    assert found(cfg, "model.depth") == "run.py:2:9"
    assert found(cfg, "model.b.depth") == "run.py:2:18"
