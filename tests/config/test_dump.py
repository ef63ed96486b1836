"""Printing: what is printed reads back as an equal config, and printing never fails."""

from __future__ import annotations

import collections
import enum
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.config import Config
from mainspring.config.printing.dump import format_config
from mainspring.config.printing.parse import MARK
from mainspring.config.printing.printer import Printer
from mainspring.errors import ConfigError


def again(cfg):
    return Config.fromstring(cfg.pretty_text, ".py")


def test_keys_keep_their_order_with_the_type_first():
    text = Config(dict(b=dict(z=1, y=[dict(d=1, type="X", c=2)]), a=1)).pretty_text
    assert text == "b = dict(z=1, y=[dict(type='X', d=1, c=2)])\na = 1\n"


def test_long_values_are_broken_into_lines():
    cfg = Config(
        dict(
            model=dict(type="A" * 40, head=dict(type="B" * 30, depth=(1,)), text="C" * 30),
            steps=list(range(40)),
        )
    )
    assert cfg.pretty_text == (
        "model = dict(\n"
        f"    type='{'A' * 40}',\n"
        f"    head=dict(type='{'B' * 30}', depth=(1,)),\n"
        f"    text='{'C' * 30}',\n"
        ")\n"
        "steps = [\n"
        "    0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22,\n"
        "    23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39,\n"
        "]\n"
    )
    assert max(map(len, cfg.pretty_text.splitlines())) < Printer.width


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"a-b": 1, "c": 2}, "{'a-b': 1, 'c': 2}"),
        ({"class": 1}, "{'class': 1}"),
        ({1: 2, "x": 3}, "{1: 2, 'x': 3}"),
        ({}, "dict()"),
        ((), "()"),
        ((1,), "(1,)"),
        (math.inf, "float('inf')"),
        (-math.inf, "float('-inf')"),
        (math.nan, "float('nan')"),
        (1e-05, "1e-05"),
        (set(), "set()"),
        ({2, 1}, "{1, 2}"),
        (frozenset({1}), "frozenset({1})"),
        (range(3), "range(0, 3)"),
        (b"x", "b'x'"),
        ('it\'s "x"\n', "'it\\'s \"x\"\\n'"),
        ("{{ fileDirname }}", "'{\\x7b fileDirname }}'"),
    ],
)
def test_values(value, text):
    assert format_config(dict(x=value)) == f"x = {text}\n"


class Colour(enum.Enum):
    RED = 1


class Number(int):
    def __repr__(self):
        return "<number>"


class HalfPrecision:
    """Prints itself as torch's data types do."""

    def __repr__(self):
        return "torch.float16"


class Unprintable:
    def __repr__(self):
        raise RuntimeError


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (dict, "dict"),
        (len, "len"),
        (..., "..."),
        (type(None), "type(None)"),
        (slice(0, 8), "slice(0, 8, None)"),
        (Number(3), "3"),
    ],
)
def test_builtins_are_written_by_their_name(value, text):
    assert Config(dict(x=[value])).pretty_text == f"x = [{text}]\n"


@pytest.mark.parametrize(
    ("value", "path"),
    [
        (os.path.join, "posixpath.join"),
        (HalfPrecision(), "torch.float16"),
        (Unprintable(), f"<{__name__}.Unprintable object>"),
        (object(), "<builtins.object object>"),
    ],
)
def test_what_nothing_can_restore_is_refused_when_it_is_read(value, path, write):
    cfg = Config(dict(part=dict(x=[value])))
    assert cfg.pretty_text == f"{MARK}\n\npart = dict(x=[lost('{path}')])\n"
    for name in ("run.py", "run.json", "run.yaml"):
        cfg.dump(write(name, ""))
        found = Config.fromfile(name)
        assert found.pretty_text == cfg.pretty_text
        with pytest.raises(ConfigError, match="nothing can restore"):
            found.part.x[0].build()


@pytest.mark.parametrize(
    ("value", "imported", "name"),
    [
        (collections.OrderedDict, "from collections import OrderedDict", "OrderedDict"),
        (Colour.RED, f"from {__name__} import Colour", "Colour.RED"),
        (json.dumps, "from json import dumps", "dumps"),
    ],
)
def test_what_can_be_imported_is_named_by_its_import(value, imported, name):
    assert Config(dict(x=[value])).pretty_text == f"{MARK}\n{imported}\n\nx = [{name}]\n"


def test_scalars_of_numpy_are_numbers():
    import numpy as np

    assert Config(dict(a=np.float64(0.5), b=np.int64(3))).pretty_text == "a = 0.5\nb = 3\n"


leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(max_size=12)
    | st.sampled_from(["{{ fileDirname }}", "{{$X:1}}", "{{_base_.a}}", "'\"\\\n{{{", "a" * 90])
    | st.binary(max_size=4)
)
inner_keys = st.text(max_size=6) | st.integers(-3, 3) | st.sampled_from(["class", "dict", "type"])
nested = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(inner_keys, inner, max_size=4)
    ),
    max_leaves=12,
)
top_keys = (
    st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True)
    | st.sampled_from(["dict", "float", "globals", "class", "a-b", "lambda", "set"])
).filter(lambda key: key not in ("filename", "text", "pretty_text", "env_variables"))


@settings(max_examples=200)
@given(st.dictionaries(top_keys, nested, max_size=5))
def test_what_is_printed_reads_back(values):
    cfg = Config(values)
    assert again(cfg).to_dict() == cfg.to_dict()
    assert again(cfg).pretty_text == cfg.pretty_text


def test_nan_reads_back():
    assert math.isnan(again(Config(dict(a=[math.nan]))).a[0])


class TestFiles:
    def test_formats(self, folder):
        cfg = Config(dict(a=1, b=dict(t=(1, 2), s={1}, k=dict)))
        for name in ("out.py", "out.json", "out.yaml", "out.yml"):
            cfg.dump(name)
        for name in ("out.py", "out.json", "out.yaml", "out.yml"):
            assert Config.fromfile(name).to_dict() == cfg.to_dict()
        with pytest.raises(TypeError, match=r"out\.txt"):
            cfg.dump("out.txt")

    def test_without_a_file_the_text_is_in_the_format_of_the_config(self, read):
        assert read('{"a": 1}', "x.json").dump() == '{"a": 1}'
        assert read("a: [1]", "x.yaml").dump() == "a:\n- 1\n"
        assert read("a = 1").dump() == "a = 1\n"
        assert Config(dict(a=1)).dump() == "a = 1\n"

    def test_no_aliases_in_yaml(self, folder):
        shared = dict(x=1)
        cfg = Config(dict(a=shared, b=shared))
        cfg._cfg_dict["b"] = cfg.a
        cfg.dump("out.yaml")
        assert "&" not in Path("out.yaml").read_text()
