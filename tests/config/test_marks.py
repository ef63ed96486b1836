"""Marks: the place of a value is where it was written, whatever was done with it since."""

from __future__ import annotations

import copy
import re
from pathlib import Path

import pytest

from mainspring.config import Config
from mainspring.config.node import Node

ROOT = Path(__file__).parents[2]
ZOO = Path(__file__).parent / "zoo"
CONFIGS = [
    *(
        ZOO / path
        for folder in ("*", "*/_base_", "*/_base_/*")
        for path in ZOO.glob(f"{folder}/*.*")
    ),
    *ROOT.glob("examples/*/config*.py"),
]
CONFIGS = [path for path in CONFIGS if path.suffix in (".py", ".yaml", ".json", ".toml")]
DOCS = [
    (page.name, block)
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for block in re.findall(r"^```python\n(.*?)^```", page.read_text(), re.MULTILINE | re.DOTALL)
    if re.search(r"^(model|train_dataloader|optim_wrapper|param_scheduler) = ", block, re.MULTILINE)
]


def parts(value, path=()):
    """All paths, with their values, and whether it is the item of a list."""
    items = dict.items(value) if isinstance(value, dict) else enumerate(value)
    for key, item in items:
        yield (*path, str(key)), item, not isinstance(value, dict)
        if isinstance(item, dict | list | tuple):
            yield from parts(item, (*path, str(key)))


def counted(cfg):
    """How many paths there are, and which have no place, or one that has another token."""
    count, unplaced, wrong = 0, [], []
    texts = {source.path: source.text.split("\n") for source in cfg.sources}
    for path, value, is_item in parts(cfg._own_values()):
        dotted, key = ".".join(path), path[-1]
        count += 1
        place = cfg.locate(dotted)
        if place is None:
            unplaced.append(dotted)
            continue
        token = texts[place.file][place.line - 1][place.column - 1 :]
        if key in ("type", "_args_"):
            named = bool(token)
        elif is_item:
            plain = type(value) in (int, str)
            named = not plain or repr(value)[:4].strip("'\"") in token or not token[0].isdigit()
        else:
            # An argument given by position has no key in the text, but the name of what it calls.
            kind = str(dict.get(value, "type")) if isinstance(value, Node) else key
            called = re.search(r"(\w*)\W*$", kind)[1]
            words = f"{re.escape(key)}|{re.escape(called)}"
            named = re.match(rf"(later\()?[\w.]*['\"]?({words})\b", token) is not None
        if not named and cfg.nearest_place(path[0]) != place:
            wrong.append((dotted, str(place), token[:40]))
    return count, unplaced, wrong


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: "/".join(path.parts[-3:]))
def test_the_line_of_every_place_has_the_key_at_its_column(path, monkeypatch):
    folder = ZOO if ZOO in path.parents else path.parent
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(folder)
    cfg = Config.fromfile(str(path.relative_to(folder)), import_custom_modules=False)
    count, unplaced, wrong = counted(cfg)
    assert not wrong
    assert len(unplaced) <= 0.02 * count + 2, unplaced


@pytest.mark.parametrize(("page", "text"), DOCS)
def test_in_the_pages_as_well(page, text, write):
    try:
        cfg = Config.fromfile(write("run.py", text), import_custom_modules=False)
    except Exception as error:  # scripts, and children of bases that are not there
        pytest.skip(f"{page}: {error}")
    assert not counted(cfg)[2]


def lines_of(cfg, *paths):
    return [cfg.nearest_place(path).line for path in paths]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("if wide:\n    head = dict(n=1)\nelse:\n    head = dict(n=2)", [3]),
        ("if not wide:\n    head = dict(n=1)\nelse:\n    head = dict(n=2)", [5]),
        ("head = dict(n=1) if wide else \\\n    dict(n=2)", [2]),
        ("head = (wide and\n    dict(n=1)) or dict(n=2)", [3]),
        ("try:\n    head = dict(n=1 / 0)\nexcept ZeroDivisionError:\n    head = dict(n=2)", [5]),
        ("for i in range(3):\n    if i == 1:\n        head = dict(\n            n=i)", [5]),
        (
            "def f(wide):\n    if wide:\n        return dict(n=1)\n    return dict(n=2)\nhead = f(0)",
            [5],
        ),
        (
            "match wide:\n    case False:\n        head = dict(n=1)\n    case _:\n        head = dict(n=2)",
            [6],
        ),
        ("n = 0\nwhile n < 2:\n    n += 1\n    head = dict(\n        n=n)", [6]),
        ("heads = {'a': dict(n=1),\n    'b': dict(n=2)}\nhead = heads['b']", [3]),
        ("head = dict(n=1)\nif not wide:\n    head['n'] = 2\n    head.update(n=3)", [2]),
        ("head = dict(n=1)\nif wide:\n    head['n'] = 2", [4]),
    ],
)
def test_a_branch_that_did_not_run_is_never_named(read, text, lines):
    assert lines_of(read(f"wide = True\n{text}"), "head.n") == lines


@pytest.mark.parametrize(
    ("expression", "lines"),
    [
        (
            "[*_base_.steps[:1], dict(t='X'), *_base_.steps[1:]]",
            [("base", 2), ("run", 2), ("base", 3)],
        ),
        ("_base_.steps[1:] + [dict(t='X')]", [("base", 3), ("run", 2)]),
        ("[s for s in _base_.steps if s['t'] != 'A']", [("base", 3)]),
        ("list(reversed(_base_.steps))", [("base", 3), ("base", 2)]),
        ("sorted(_base_.steps, key=lambda s: s['t'], reverse=True)", [("base", 3), ("base", 2)]),
        ("_base_.steps * 2", [("base", 2), ("base", 3), ("base", 2), ("base", 3)]),
        ("copy.deepcopy(_base_.steps)", [("base", 2), ("base", 3)]),
        ("_base_.steps.copy()", [("base", 2), ("base", 3)]),
        ("{{_base_.steps}}", [("base", 2), ("base", 3)]),
        ("[dict(s, n=1) for s in _base_.steps]", [("base", 2), ("base", 3)]),
        ("[{**s} for s in _base_.steps]", [("base", 2), ("base", 3)]),
    ],
)
def test_items_of_lists_that_are_put_together_keep_their_places(write, read, expression, lines):
    write("base.py", "steps = [\n    dict(t='A'),\n    dict(t='B'),\n]\n")
    cfg = read(f"_base_ = 'base.py'; import copy\nsteps = {expression}")
    found = [cfg.locate(f"steps.{index}.t") for index in range(len(cfg.steps))]
    assert [(place.file.removesuffix(".py"), place.line) for place in found] == lines


@pytest.mark.parametrize(
    "change",
    [
        "x.append('d')",
        "x += ['d']",
        "x.extend(['d'])",
        "x.insert(3, 'd')",
        "x = [*x, 'd']",
        "x = x + ['d']",
    ],
)
def test_plain_items_too(read, change):
    cfg = read(f"x = ['a',\n     'b', 'c']\n{change}")
    assert lines_of(cfg, "x.0", "x.1", "x.3") == [1, 2, 3]


def test_what_is_put_into_an_inherited_list_stands_where_it_is_put(write, read):
    write("base.py", "from zoo import Net\nhooks = [Net(n=1), Net(n=2)]\n")
    cfg = read(
        "from mainspring.config import edit\nfrom zoo import Net\nfrom .base import *\n"
        "edit(hooks).insert(0, Net(n=3))\nedit(hooks)[1].n = 4\n"
    )
    places = [str(cfg.locate(f"hooks.{index}.n")) for index in range(3)]
    assert places == ["run.py:4:27", "run.py:5:16", "base.py:2:24"]


def test_each_target_of_an_assignment_has_a_place(read):
    cfg = read("m = dict(a=1)\nm['b'] = x = 5\n(p, q), *r = (1, [2]), 3\ns = t = dict(u=6)")
    places = [str(cfg.locate(path)) for path in ("m.b", "x", "p", "q.0", "t.u")]
    assert places == ["run.py:2:3", "run.py:2:10", "run.py:3:2", "run.py:3:19", "run.py:4:14"]


def test_nothing_that_runs_is_another_type_than_in_plain_python(read):
    cfg = read(
        "d, l, t = dict(a=1), [1, 2], (1, 2)\n"
        "kinds = [type(x).__name__ for x in (d, l, t, {**d}, l + l, [*l], d | d, t + t)]\n"
        "same = [d is d, l[:] is l, (1, 2) == t]\n"
        "globals()['made'] = 3\n"
    )
    assert cfg.kinds == ["dict", "list", "tuple", "dict", "list", "list", "dict", "tuple"]
    assert cfg.same == [True, False, True]
    assert str(cfg.locate("made")) == "run.py:4:11"


def test_marks_do_not_stay_behind_and_are_not_pickled(read):
    import pickle

    from mainspring.config.provenance.marks import current_session

    cfg = read("model = dict(a=1)")
    assert current_session() is None
    assert pickle.loads(pickle.dumps(cfg)).locate("model.a") is None
    assert str(copy.deepcopy(cfg).locate("model.a")) == "run.py:1:14"


def test_a_value_of_the_command_line_has_its_word_as_place(read):
    cfg = read("model = dict(a=1, b=[1, 2])", overrides=["model.a=3", "model.b+=4", "+x.y=1"])
    assert cfg.locate("model.a") is None
    places = [str(cfg.nearest_place(path)) for path in ("model.a", "model.b.2", "model.b.0", "x.y")]
    words = ["command line: model.a=3", "command line: model.b+=4", "run.py:1:22"]
    assert places == [*words, "command line: +x.y=1"]


def test_other_values_of_a_dump_have_their_places(read, write):
    from mainspring.config.printing.parse import parse_dump

    cfg = read("from zoo import Net\nmodel = Net(1, a=dict(b=2), c=[1, 2])")
    again = Config.fromfile(write("dump.py", cfg.dump()))
    text = cfg.dump().split("\n")
    for path, token in (
        ("model.a", "a="),
        ("model.a.b", "b="),
        ("model.c.1", "2"),
        ("model", "model"),
    ):
        place = again.locate(path)
        assert text[place.line - 1][place.column - 1 :].startswith(token)
    assert parse_dump(cfg.dump()) == again._cfg_dict
