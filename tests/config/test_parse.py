"""Dumps are read back without running them: equal, and a fixed point."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.config import Config, ConfigDict, Node
from mainspring.config.config_dict import keeping_lazy
from mainspring.config.lazy import dotted_path
from mainspring.config.printing.dump import format_config
from mainspring.config.printing.expression import evaluate_call
from mainspring.config.printing.parse import MARK, is_dump, parse_dump
from mainspring.config.recorded_python.reference import reference_to
from mainspring.config.text_dialect.data_formats import dump_data
from mainspring.errors import ConfigError
from mainspring.names import DataName, holds_data_names

RUN = """
import torch
from torch import nn
from torch.optim import AdamW as Adam
from zoo import Net, Part
from mainspring.config import later
epochs = 3
model = Net(Part(1, (2, 3)), act=nn.ReLU, dtype=torch.bfloat16, table={"a": Part(2), 3: [Part]})
optimizer = later(Adam)(lr=1e-3, betas=(0.9, 0.99))
old = dict(type=Net, x=[dict(type="Str")])
made = Part.from_file("x", **{"class": 1})
"""


@pytest.fixture(autouse=True, scope="module")
def nothing_is_imported():
    with keeping_lazy():
        yield


def raw(cfg):
    return dict(dict.items(cfg._cfg_dict))


def test_a_recorded_config_reads_back_equal(read):
    cfg = read(RUN)
    again = Config.fromstring(cfg.pretty_text, ".py")
    with keeping_lazy():
        assert raw(again) == raw(cfg)
    assert again.pretty_text == cfg.pretty_text
    optimizer = raw(again)["optimizer"]
    assert isinstance(optimizer, Node)
    assert optimizer.is_late
    assert not isinstance(raw(again)["old"], Node)


def test_it_reads_like_the_program_that_it_describes(read):
    text = read(RUN).pretty_text
    assert is_dump(text)
    assert text.split("\n", 1)[1] == (
        "import torch\n"
        "from mainspring.config import later\n"
        "from torch import nn\n"
        "from torch.optim import AdamW\n"
        "from zoo import Net, Part\n"
        "\n"
        "epochs = 3\n"
        "model = Net(\n"
        "    Part(1, (2, 3)),\n"
        "    act=nn.ReLU,\n"
        "    dtype=torch.bfloat16,\n"
        "    table={'a': Part(2), 3: [Part]},\n"
        ")\n"
        "optimizer = later(AdamW)(lr=0.001, betas=(0.9, 0.99))\n"
        "old = dict(type=Net, x=[dict(type='Str')])\n"
        "made = Part.from_file('x', **{'class': 1})\n"
    )


def test_names_that_clash_get_aliases():
    values = {
        "SGD": {"type": reference_to("torch.optim.SGD", "data")},
        "other": reference_to("zoo.SGD", "data"),
        "later": reference_to("zoo.later", "data"),
    }
    text = format_config(ConfigDict(values))
    assert "from torch.optim import SGD as SGD_2" in text
    assert "from zoo import SGD as SGD_3, later as later_2" in text
    with keeping_lazy():
        assert parse_dump(text) == values


@pytest.mark.parametrize("extension", ["json", "yaml"])
def test_data_formats_keep_calls_names_and_tuples(read, folder, extension):
    cfg = read(RUN)
    cfg.dump(f"run.{extension}")
    again = Config.fromfile(f"run.{extension}")
    with keeping_lazy():
        assert raw(again) == raw(cfg)
    assert raw(again)["optimizer"].is_late
    again.dump(f"again.{extension}")
    assert (folder / f"again.{extension}").read_text() == (folder / f"run.{extension}").read_text()


def test_the_words_of_the_data_formats(read):
    tree = json.loads(dump_data(raw(read(RUN)), ".json"))
    assert tree["optimizer"]["type"] == {"_ref_": "torch.optim.AdamW"}
    assert tree["optimizer"]["_call_"] is True
    assert tree["optimizer"]["_late_"] is True
    assert tree["optimizer"]["betas"] == {"_tuple_": [0.9, 0.99]}
    assert tree["model"]["dtype"] == {"_ref_": "torch.bfloat16"}
    assert "_call_" not in tree["old"]


names = st.sampled_from(["torch.optim.SGD", "zoo.Net", "zoo.Net.make", "torch.bfloat16", "a.b.SGD"])
references = names.map(lambda name: reference_to(name, "data"))
leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(max_size=8)
    | st.sampled_from(["{{ a }}", "{{$X:1}}", "{{_base_.a}}", "'\"\\\n{{{", "_ref_", "# x"])
    | st.binary(max_size=4)
    | st.frozensets(st.integers(-3, 3), max_size=3)
    | st.sets(st.text(max_size=2), max_size=3)
    | st.builds(range, st.integers(0, 5), st.integers(0, 5))
    | references
)
keys = st.text(max_size=5) | st.sampled_from(
    ["class", "dict", "type", "_ref_", "_call_", "_dict_", "a-b", "later"]
)
odd_keys = keys | st.integers(-3, 3) | st.booleans() | st.none()


def nodes(inner):
    return st.builds(
        lambda target, args, kwargs, late: Node(target, args, kwargs, late=late),
        references,
        st.lists(inner, max_size=2),
        st.dictionaries(keys.filter(lambda key: key not in ("type", "_args_")), inner, max_size=3),
        st.booleans(),
    )


values = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(odd_keys, inner, max_size=3)
        | nodes(inner)
    ),
    max_leaves=10,
)
top_keys = (
    st.from_regex(r"[a-z][a-z_]{0,6}", fullmatch=True)
    | st.sampled_from(["dict", "float", "globals", "class", "a-b", "later", "set", "SGD"])
).filter(lambda key: key not in ("filename", "text", "pretty_text", "env_variables"))
configs = st.dictionaries(top_keys, values, max_size=4)


def same(left, right):
    """Equality that tells 1 from True and a node from a dict."""
    if isinstance(left, dict) and isinstance(right, dict):
        kinds = isinstance(left, Node) == isinstance(right, Node)
        items = list(dict.items(left)), list(dict.items(right))
        by_key = [{repr(key): item for key, item in pairs} for pairs in items]
        return (
            kinds
            and by_key[0].keys() == by_key[1].keys()
            and all(same(by_key[0][key], by_key[1][key]) for key in by_key[0])
            and (not isinstance(left, Node) or left.is_late == right.is_late)
        )
    if isinstance(left, list | tuple) and type(left) is type(right):
        return len(left) == len(right) and all(map(same, left, right))
    if hasattr(left, "build") and hasattr(right, "build"):
        return dotted_path(left) == dotted_path(right)
    if isinstance(right, str) and isinstance(left, DataName):
        return left == right  # a text that is marked as a name of data
    return type(left) is type(right) and left == right


@settings(max_examples=150, deadline=None)
@given(configs)
def test_python(written):
    cfg = ConfigDict(written)
    text = format_config(cfg)
    again = ConfigDict(parse_dump(text))
    assert same(again, cfg), text
    # What is read as data stays data, also where nothing in the text says so.
    marks_it = not is_dump(text) and holds_data_names(again)
    assert format_config(again) == (f"{MARK}\n\n{text}" if marks_it else text)


@pytest.mark.filterwarnings("ignore:the string has:UserWarning")
@settings(max_examples=150, deadline=None)
@given(configs, st.sampled_from([".json", ".yaml"]))
def test_data(written, extension):
    cfg = ConfigDict(written)
    text = dump_data(cfg, extension)
    with keeping_lazy():
        again = Config.fromstring(text, extension)._cfg_dict
    assert same(again, cfg), text
    assert dump_data(again, extension) == text


def test_mmengine_reads_a_config_without_names(read):
    text = read("a = dict(type='X', b=(1, 2))").pretty_text
    names = {}
    exec(text, names)
    assert names["a"] == {"type": "X", "b": (1, 2)}
    assert not is_dump(text)
    assert yaml.safe_load(dump_data({"a": {"type": "X"}}, ".yaml")) == {"a": {"type": "X"}}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("zoo.Swin(depth=2)", {"depth": 2}),
        ("zoo.Swin(2, norm=torch.nn.LayerNorm)", {"norm": "torch.nn.LayerNorm"}),
        (" zoo.Swin(part=zoo.Part(width=-1)) ", {"part": {"type": "zoo.Part", "width": -1}}),
        ("later(zoo.Opt)(lr=float('inf'))", {"lr": math.inf}),
    ],
)
def test_calls_on_the_command_line(text, value):
    node = evaluate_call(text)
    assert isinstance(node, Node)
    assert node.is_late == text.startswith("later")
    plain = node.to_dict()
    assert {key: plain[key] for key in value} == value


@pytest.mark.parametrize(
    "text", ["3", "[1]", "'x'", "a.b(", "", "f(x for x in y)", "a.b()()", "1+1"]
)
def test_what_is_no_call(text):
    with pytest.raises(ConfigError):
        evaluate_call(text)


def test_a_name_alone_is_a_reference():
    assert dotted_path(evaluate_call("torch.nn.ReLU")) == "torch.nn.ReLU"


REFUSED = {
    "a statement": ("for i in (1,): pass", "1:1"),
    "a function": ("def f(): pass", "1:1"),
    "a comprehension": ("a = 1\nx = [i for i in (1,)]", "2:5"),
    "arithmetic": ("x = 1 + 1", "1:5"),
    "an f-string": ("x = f'{1}'", "1:5"),
    "a lambda": ("x = lambda: 1", "1:5"),
    "an attribute of a value": ("x = (1).real", "1:5"),
    "a name that is not imported": ("x = y", "1:5"),
    "a builtin": ("x = eval('1')", "1:5"),
    "a dunder": ("import zoo\nx = zoo.__builtins__", "2:5"),
    "calling what a call gives": ("import zoo\nx = zoo.f()()", "2:5"),
    "a subscript": ("import zoo\nx = zoo.f[0]", "2:5"),
    "an assignment to an attribute": ("import zoo\nzoo.x = 1", "2:1"),
    "a star import": ("from zoo import *", "1:1"),
    "a relative import": ("from .base import x", "1:1"),
    "another update": ("globals().clear()", "1:1"),
    "a delete": ("x = 1\ndel x", "2:1"),
    "a walrus": ("x = (y := 1)", "1:6"),
    "starred": ("x = [*(1, 2)]", "1:6"),
    "a bad syntax": ("x = (", "1:5"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_anything_else_is_refused_with_its_line(name):
    text, place = REFUSED[name]
    with pytest.raises(ConfigError) as error:
        parse_dump(text, "dump.py")
    assert str(error.value.location) == f"dump.py:{place}"


def test_a_marked_file_is_never_run(write, folder):
    text = f"{format_config({'x': reference_to('zoo.A', 'data')})}open('made', 'w')\n"
    with pytest.raises(ConfigError):
        Config.fromfile(write("dump.py", text))
    assert not (folder / "made").exists()
