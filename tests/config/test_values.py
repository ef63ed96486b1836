"""What a run writes down builds the same run: ``build(load(dump(c))) == build(c)``."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import logging
import math
import pathlib
import re
import sys
import types
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mainspring.config import Config
from mainspring.config.node import Node
from mainspring.config.recorded_python.reference import Reference
from mainspring.errors import ConfigError
from mainspring.registry import Registry

PARTS = Registry("parts of values")


class Colour(enum.Enum):
    RED = 1
    BLUE = "b"


class Part:
    """Remembers what it was built from."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        self.args = args
        self.kwargs = kwargs


zoo = types.ModuleType("ms_values_zoo")
zoo.Part, zoo.Colour = Part, Colour
Part.__module__ = Colour.__module__ = zoo.__name__


@pytest.fixture(autouse=True, scope="module")
def importable():
    sys.modules[zoo.__name__] = zoo
    yield
    del sys.modules[zoo.__name__]


def seen(value, known=None):
    """What a built value is, types and shared objects included."""
    known = {} if known is None else known
    if isinstance(value, Part):
        if id(value) in known:
            return ("same", known[id(value)])
        known[id(value)] = len(known)
        return ("part", seen(value.args, known), seen(value.kwargs, known))
    if isinstance(value, dict):
        return ("dict", [(seen(k, known), seen(v, known)) for k, v in value.items()])
    if isinstance(value, list | tuple):
        return (type(value), [seen(item, known) for item in value])
    if isinstance(value, set | frozenset):
        return (type(value), sorted(map(repr, value)))
    return (type(value), repr(value))


def call(args, kwargs):
    return Node(Reference(zoo.__name__, "Part"), args, kwargs)


def in_two_places(value):
    shared = call([value], {})
    return call([shared, [shared]], {"x": shared})


numbers = st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.complex_numbers()
offsets = st.integers(-23, 23).map(lambda h: dt.timezone(dt.timedelta(hours=h)))
hashable = (
    st.none()
    | numbers
    | st.text(max_size=8)
    | st.sampled_from(
        ["on", "1e-3", "12:30", "null", "{{ x }}", "~", "2020-01-01", "=", "<<", "0o7"]
    )
    | st.binary(max_size=4)
    | st.sampled_from([..., int, float, list, dict, object, type(None), len, sorted, ValueError])
    | st.sampled_from([Colour.RED, Colour.BLUE, math.sin, pathlib.Path, decimal.Decimal])
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.timedeltas()
    | st.dates()
    | st.times(timezones=st.none() | offsets).map(lambda time: time.replace(fold=0))
    | st.datetimes(timezones=st.none() | offsets).map(lambda time: time.replace(fold=0))
    | st.sampled_from(["a", "/b/c", "..", "."]).map(pathlib.Path)
    | st.sampled_from(["a", "/b"]).map(pathlib.PureWindowsPath)
    | st.sampled_from([re.compile("a+"), re.compile(b"x", re.IGNORECASE)])
    | st.frozensets(st.integers() | st.text(max_size=2), max_size=3)
)
leaves = (
    hashable
    | st.builds(slice, st.none() | st.integers(), st.integers() | st.decimals(allow_nan=False))
    | st.builds(range, st.integers(0, 5), st.integers(0, 9), st.integers(1, 3))
    | st.sets(st.integers() | st.text(max_size=2), max_size=3)
    | st.binary(max_size=3).map(bytearray)
)
keys = st.sampled_from(["a", "b_c", "class", "a-b", "_ref_", "_call_", "_shared_", ""]) | hashable
names = st.sampled_from(["x", "y", "depth", "len", "int"])
described = st.recursive(
    leaves,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(keys, inner, max_size=3)
        | st.builds(call, st.lists(inner, max_size=2), st.dictionaries(names, inner, max_size=2))
        # One call in several places: `[x] * 3`, and as arguments of another one.
        | st.builds(lambda x: call([call([x], {})] * 2, {}), inner)
        | inner.map(in_two_places)
    ),
    max_leaves=8,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(described)
def test_a_dump_builds_what_the_config_builds(value):
    cfg = Config(dict(model=call([value], {})))
    expected = seen(PARTS.build(cfg.model))
    for extension in (".py", ".json", ".yaml"):
        cfg._filename = f"x{extension}"
        text = cfg.dump()
        found = Config.fromstring(text, extension)
        assert seen(PARTS.build(found.model)) == expected, text
        assert found.pretty_text == cfg.pretty_text


def test_toml_has_the_same_marks(read):
    cfg = read(
        f"""
        [left]
        type = {{_ref_ = "{zoo.__name__}.Part"}}
        _call_ = true
        _shared_ = "left"
        [model]
        type = {{_ref_ = "{zoo.__name__}.Part"}}
        _call_ = true
        a = {{_same_ = "left"}}
        b = {{_value_ = ["decimal.Decimal", "0.1"]}}
        """,
        "run.toml",
    )
    assert cfg.model.a is cfg.left
    assert cfg.model.b == decimal.Decimal("0.1")


@pytest.mark.parametrize(
    ("lines", "what", "way_out"),
    [
        ("x = Part(lambda v: v)", "a lambda", "define a function"),
        ("def f(v): return v\nx = Part([f])", "the function f", "define a function"),
        ("from collections import deque\nx = Part(deque([1]))", "collections.deque", "plain values"),
        ("from collections import Counter\nx = Part(Counter('a'))", "Counter", "plain values"),
        ("from collections import namedtuple\nP = namedtuple('P', 'x')\nx = Part(P(1))", "class P", "module"),
        ("from functools import partial\nx = Part(partial(sorted, reverse=True))", "partial", "plain"),
        ("x = Part(print)", "print", "call of an imported"),
        ("x = Part(slice(zoo.DEPTH, 3))", "builtins.slice", "plain values"),
        ("x = Part(map(str, [1]))", "builtins.map", "plain values"),
        ("import math\nx = Part(math)", "module", "plain values"),
        ("x = Part({}.keys())", "dict_keys", "plain values"),
        ("import signal\nx = Part(signal.SIGTERM)", "is signal.SIGTERM, which a file of data cannot", "plain"),
        ("from logging import Formatter\nx = Part(Formatter('%'))", "logging.Formatter", "plain values"),
        ("x = Part(str.lower)", "str.lower", "plain values"),
    ],
)  # fmt: skip
def test_what_cannot_be_written_down_is_refused_when_it_is_read(lines, what, way_out, read):
    with pytest.raises(ConfigError, match=what) as error:
        read(f"import {zoo.__name__} as zoo\nfrom {zoo.__name__} import Part\n{lines}")
    assert error.value.location is not None
    assert error.value.location.line == 2 + len(lines.split("\n"))
    assert re.search(way_out, error.value.help or "")


def test_numbers_and_texts_of_python_s_library_are_values(read):
    cfg = read(
        "import logging, sys\nfrom zlib import Z_BEST_SPEED\n"
        f"from {zoo.__name__} import Part\n"
        "level, most, speed = logging.INFO, sys.maxsize // 2, Z_BEST_SPEED\n"
        "model = Part(logging.WARNING, {logging.DEBUG: sys.byteorder})"
    )
    assert (cfg.level, cfg.most, cfg.speed) == (logging.INFO, sys.maxsize // 2, zlib.Z_BEST_SPEED)
    again = read(cfg.dump(), "dumped.py")
    assert again.to_dict() == cfg.to_dict()
    assert again.model["_args_"] == [logging.WARNING, {logging.DEBUG: sys.byteorder}]


def test_values_of_torch_and_numpy_that_are_imported_for_real(read, write):
    cfg = read(
        "from mainspring.config import eager\nwith eager():\n    import numpy as np\n    import torch\n"
        f"from {zoo.__name__} import Part\n"
        "x = Part(torch.bfloat16, torch.channels_last, torch.device('cpu'), np.array([1.5, 2]),\n"
        "         np.float32, np.dtype('int8'), np.array([[True]]))"
    )
    write("again.py", cfg.pretty_text)
    built, again = (PARTS.build(c.x).args for c in (cfg, Config.fromfile("again.py")))
    assert repr(again) == repr(built)


def test_a_call_of_what_dumps_know_stays_data():
    with pytest.raises(ConfigError, match="neither a literal nor a call|is not imported"):
        Config.fromstring("# mainspring config, format 1: \nx = print(1)\n", ".py")
    for text in ('{"x": {"_value_": ["builtins.slice"]}}', '{"x": {"_value_": []}}',
                 '{"x": {"_same_": "a"}}', '{"x": {"_value_": ["decimal.Decimal", "z"]}}'):  # fmt: skip
        with pytest.raises(ConfigError, match="holds"):
            Config.fromstring(text, ".json")
