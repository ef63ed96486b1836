"""`mainspring diff`: how two configs differ, value by value."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.cli import diff
from mainspring.config.diff import differences
from mainspring.errors import ConfigError

HEAD = "from mainspring.config import later\nfrom zoo import A, B, C, D, Net\n"


@pytest.fixture
def compared(tmp_path, monkeypatch, capsys):
    """Write two configs, compare them, and return what is printed and the exit code."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    def compare(one, other, *words, names=("a.py", "b.py")):
        for name, text in zip(names, (one, other), strict=True):
            if isinstance(text, str):
                (tmp_path / name).write_text(text)
        parser = argparse.ArgumentParser()
        diff.add_parser(parser.add_subparsers())
        options = parser.parse_args(["diff", *names, *words])
        code = 0
        try:
            options.run(options)
        except SystemExit as end:
            code = end.code
        return capsys.readouterr().out, code

    return compare


def test_equal_configs(compared):
    one = f"{HEAD}model = Net(a=1, b=[A(), later(B)(x=2)])\nlr = 1e-3"
    other = f"{HEAD}lr = 0.001\nx = A()\nmodel = Net(b=[x, later(B)(x=2)], a=1.0)\ndel x"
    assert compared(one, other) == ("no differences\n", 0)


def test_one_line_for_each_path(compared):
    one = f"{HEAD}lr = 0.1\nmodel = Net(\n    a=1,\n    b=2,\n    head=A(n='x'))"
    other = f"{HEAD}model = Net(a=1,\n    c=[1, 2], head=B(n='y'))\nlr = 0.2"
    out, code = compared(one, other)
    assert out == (
        "~ lr               0.1 -> 0.2   (a.py:3 | b.py:5)\n"
        "- model.b          2   (a.py:6)\n"
        "~ model.head.type  zoo.A -> zoo.B   (a.py:7 | b.py:4)\n"
        "~ model.head.n     'x' -> 'y'   (a.py:7 | b.py:4)\n"
        "+ model.c          [1, 2]   (b.py:4)\n"
    )
    assert code == 1


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("[A(), B(), C()]", "[A(), D(n=1), B(), C()]", ["+ x.1  zoo.D(n=1)"]),
        ("[A(), B(), C()]", "[B(), C()]", ["- x.0  zoo.A()"]),
        ("[A(), B(n=1), C()]", "[D(), A(), B(n=2), C()]", ["+ x.0    zoo.D()", "~ x.2.n  1 -> 2"]),
        ("[A(n=1), A(n=2)]", "[A(n=2), A(n=1)]", ["+ x.0  zoo.A(n=2)", "- x.1  zoo.A(n=2)"]),
        ("[A(n=1)]", "[B(n=1)]", ["- x.0  zoo.A(n=1)", "+ x.0  zoo.B(n=1)"]),
        ("[8, 11]", "[16, 22]", ["~ x.0  8 -> 16", "~ x.1  11 -> 22"]),
        ("[8, 11]", "[8, 10, 11]", ["+ x.1  10"]),
        ("(1, 2)", "(1, 3)", ["~ x  (1, 2) -> (1, 3)"]),
        ("(1, 2)", "[1, 2]", ["~ x  (1, 2) -> [1, 2]"]),
        ("(1,)", "(1, 2)", ["~ x  (1,) -> (1, 2)"]),
        ("1", "True", ["~ x  1 -> True"]),
        ("'1'", "1", ["~ x  '1' -> 1"]),
        ("None", "dict()", ["~ x  None -> dict()"]),
        ("A", "B", ["~ x  zoo.A -> zoo.B"]),
        ("later(A)(n=1)", "A(n=1)", ["~ x.type  later(zoo.A) -> zoo.A"]),
        ("A(1)", "A(2)", ["~ x.0  1 -> 2"]),
        ("{1: 'a', 'b c': 2}", "{1: 'b', 'b c': 2}", ["~ x.1  'a' -> 'b'"]),
    ],
)
def test_what_counts_as_a_difference(compared, one, other, expected):
    text, code = compared(f"{HEAD}x = {one}", f"{HEAD}x = {other}")
    assert [line.partition("   (a.py")[0].partition("   (b.py")[0] for line in text.splitlines()] \
        == expected  # fmt: skip
    assert code == 1


def test_files_of_all_formats(compared):
    out, code = compared(
        "model = dict(type='Net', n=1)",
        '{"model": {"type": "Net",\n "n": 2}}',
        names=("a.py", "b.json"),
    )
    assert (out, code) == ("~ model.n  1 -> 2   (a.py:1 | b.json:2)\n", 1)


def test_a_class_is_equal_to_its_name(compared):
    one = "from torch.optim import SGD\nopt = dict(type=SGD)"
    assert compared(one, "opt = dict(type='torch.optim.SGD')")[1] == 0


def test_bases_count(compared, tmp_path):
    (tmp_path / "base.py").write_text(f"{HEAD}\nmodel = Net(depth=50)")
    child = (
        f"from mainspring.config import edit\n{HEAD}from .base import *\nedit(model).depth = 101"
    )
    assert compared(None, child, names=("base.py", "b.py")) == (
        "~ model.depth  50 -> 101   (base.py:4 | b.py:5)\n",
        1,
    )


def test_json(compared):
    out, code = compared(
        f"{HEAD}x = [A()]\ny = [1]", f"{HEAD}x = [A(), B()]\ny = [1]\nz = 1", "--format", "json"
    )
    assert json.loads(out) == [
        {"path": "x.1", "kind": "added", "b": "zoo.B()", "b_path": "x.1", "b_place": "b.py:3:11"},
        {"path": "z", "kind": "added", "b": 1, "b_path": "z", "b_place": "b.py:5:1"},
    ]
    assert code == 1
    assert compared("x = 1", "x = 1", "--format", "json") == ("[]\n", 0)


def test_a_checkpoint_is_compared_but_not_run(compared, tmp_path):
    import torch

    text = (
        "from mainspring.config import later\nfrom zoo import Net\nimport zoo\n"
        "import torch\nn = 1\nmodel = Net(depth=50, heads=[zoo.Head((1, 2)), dict(a=1)])\n"
        "opt = later(torch.optim.SGD)(lr=float('inf'))\n"
    )
    torch.save({"meta": {"cfg": text}}, tmp_path / "a.pth")
    names = ("a.pth", "b.py")
    assert compared(None, text, names=names) == ("no differences\n", 0)
    assert compared(None, text.replace("50", "18"), names=names) == (
        "~ model.depth  50 -> 18   (a.pth:6 | b.py:6)\n",
        1,
    )
    torch.save({"meta": {"cfg": "import os\nx = [os.remove('b.py') for _ in 'a']"}}, "a.pth")
    with pytest.raises(ConfigError, match=r"^a.pth:2:"):
        compared(None, text, names=names)
    assert (tmp_path / "b.py").is_file()


def test_changes_on_the_command_line_are_refused(compared, tmp_path):
    (tmp_path / "a.py").write_text("x = 1")
    parser = argparse.ArgumentParser()
    diff.add_parser(parser.add_subparsers())
    options = parser.parse_args(["diff", "a.py", "a.py"])
    options.overrides += ["x=2"]
    with pytest.raises(ConfigError, match="diff takes two configs as they are, but got 'x=2'"):
        options.run(options)
    assert parser.parse_args(["diff", "a.py", "a.py"]).overrides == []


def test_colours_on_a_terminal_only(compared, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    plain = "~ x  1 -> 2   (a.py:1 | b.py:1)\n"
    assert compared("x = 1", "x = 2")[0] == plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert compared("x = 1", "x = 2")[0] == (
        "\x1b[33m~ x\x1b[0m  1 -> 2   \x1b[90m(a.py:1 | b.py:1)\x1b[0m\n"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert compared("x = 1", "x = 2")[0] == plain


def test_long_values_are_cut(compared):
    out, _ = compared("x = 1", f"x = 1\ny = {['word'] * 50}")
    assert len(out) < 140
    assert " ...   (b.py:2)" in out


def test_nothing_heavy_is_imported(tmp_path):
    (tmp_path / "a.py").write_text(f"{HEAD}import torch\nx = torch.optim.SGD(A(1, 2), lr=1)")
    (tmp_path / "b.py").write_text(f"{HEAD}import torch\nx = torch.optim.SGD(A(1, 3), lr=1)")
    code = (
        "import argparse, sys\n"
        "from mainspring.cli import diff\n"
        "parser = argparse.ArgumentParser()\n"
        "diff.add_parser(parser.add_subparsers())\n"
        "options = parser.parse_args(['diff', 'a.py', 'b.py'])\n"
        "try: options.run(options)\n"
        "except SystemExit as end: assert end.code == 1\n"
        "heavy = {'torch', 'numpy', 'zoo', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout == "~ x.0.1  2 -> 3   (a.py:4 | b.py:4)\n"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.floats(allow_nan=True) | st.text("ab"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["type", "a", "b"]), inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=12,
)


@given(VALUES)
def test_a_value_does_not_differ_from_itself(value):
    assert list(differences({"x": value}, {"x": value})) == []


@given(VALUES, VALUES)
def test_differences_are_the_same_both_ways(one, other):
    there = list(differences({"x": one}, {"x": other}))
    back = list(differences({"x": other}, {"x": one}))
    assert bool(there) == bool(back)
    if one == other and repr(one) == repr(other):
        assert not there
