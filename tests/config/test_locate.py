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
    assert place(cfg, "model.a.x") == "run.py:2:1"
    assert place(cfg, "model.b") == "run.py:3:14"
    assert place(cfg, "model.c.y") == "run.py:4:26"
    assert place(cfg, "copied.b") == "run.py:3:14"
    assert place(cfg, "copied.d") == "run.py:5:22"


def test_new_style_files(write, read):
    write("base.py", "from torch.optim import SGD\nopt = dict(type=SGD,\n           lr=1)")
    cfg = read("from .base import *\nopt.update(dict(x=2))\nopt.y = 3")
    assert place(cfg, "opt.lr") == "base.py:3:12"
    assert place(cfg, "opt.x") == "run.py:2:17"
    assert place(cfg, "opt.y") == "run.py:3:1"


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
