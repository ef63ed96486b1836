"""Whatever the text, reading it gives values or a ConfigError, and comes to an end."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mainspring.config import Config, DictAction
from mainspring.config.lazy import LazyAttr, LazyObject
from mainspring.config.override import parse_override
from mainspring.config.printing.expression import evaluate_call
from mainspring.config.printing.parse import MARK, parse_dump
from mainspring.errors import ConfigError

PIECES = st.sampled_from(
    [
        *("import torch\n", "from zoo import A\n", "x = ", "A(", ")", "dict(", "[", "]", "{", "}"),
        *(
            "'a'",
            '"',
            "\\",
            "1",
            "-",
            "1e999",
            "9" * 5000,
            ",",
            "=",
            ":",
            "\n",
            "    ",
            "later(A)(",
        ),
        *(
            "_ref_",
            "_call_: true",
            "_dict_",
            "_tuple_",
            "&a ",
            "*a",
            "!!python/tuple",
            "!!set",
            "- ",
        ),
        *("{{", "}}", "\0", "\ud800", "\ufeff", "é", "#", "lambda: 0", "__import__", ".", "@", "~"),
        *(
            "null",
            "[[x]]",
            "[x]",
            "a.b = 1\n",
            "0x",
            "1_000",
            "2020-01-01",
            "=>",
            "<<: ",
            "**",
            "...",
        ),
    ]
)
TEXTS = st.text(max_size=40) | st.lists(PIECES, max_size=14).map("".join)
PLAIN = bool | int | float | str | list | tuple | dict | None
SETTINGS = settings(max_examples=250, deadline=None)


def read_or_refused(function, text):
    """What a text stands for; for one that is refused, the error, which says something."""
    try:
        return function(text)
    except ConfigError as error:
        refused = error
    assert refused.message.strip()
    assert str(refused)
    return refused


@SETTINGS
@given(TEXTS)
@example("(" * 10_000)
@example("[" * 150 + "]" * 150)
@example("x = " + "-" * 20_000 + "1")
@example("x = " + "9" * 10_000)
@example("x = {[]: 1}")
@example("x = {**{}}")
@example("x = set([[]])")
def test_dumps(text):
    values = read_or_refused(parse_dump, text)
    assert isinstance(values, dict | ConfigError)
    cfg = read_or_refused(lambda body: Config.fromstring(f"{MARK}\n{body}", ".py"), text)
    assert isinstance(cfg, Config | ConfigError)
    if isinstance(cfg, Config):
        assert set(cfg.keys()) <= set(cfg.to_dict())


@SETTINGS
@given(TEXTS)
@example("a(" * 3000)
@example("a" + ".b" * 50_000)
@example("a(" + "-" * 20_000 + "1)")
def test_calls(text):
    called = read_or_refused(evaluate_call, text)
    assert isinstance(called, dict | LazyObject | LazyAttr | ConfigError)


@SETTINGS
@given(TEXTS)
@example("a={" + "[" * 5000)
@example("a=@" + "(" * 5000)
@example("a=" + "(" * 5000)
@example("a=" + "[" * 900 + "]" * 900)
@example("a=" + "9" * 10_000)
def test_changes(text):
    for word in (text, f"a={text}"):
        change = read_or_refused(parse_override, word)
        assert isinstance(change, ConfigError) or change.written == word
    assert isinstance(read_or_refused(DictAction.parse_value, text), PLAIN | ConfigError)


BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{new}: &{new} [{','.join([f'*{old}'] * 9)}]\n"
    for old, new in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.filterwarnings("ignore:the string has:UserWarning")
@pytest.mark.filterwarnings("ignore:The config file:DeprecationWarning")
@SETTINGS
@given(TEXTS, st.sampled_from([".json", ".yaml", ".toml"]))
@example("[" * 100_000, ".json")
@example('{"a":' * 5000 + "1" + "}" * 5000, ".json")
@example("[" * 3000, ".yaml")
@example("- " * 3000, ".yaml")
@example("a: " + "[" * 400 + "]" * 400, ".yaml")
@example(BOMB, ".yaml")
@example("a: &a [*a]", ".yaml")
@example("a: &a {b: *a}", ".yaml")
@example("? {a: 1}\n: 2", ".yaml")
@example("a: 2020-99-99", ".yaml")
@example("a: !!binary '@'", ".yaml")
@example("a: 0x", ".yaml")
@example("a: 1:99999999999:1", ".yaml")
@example("a = " + "[" * 3000, ".toml")
@example("a = " + "9" * 10_000, ".toml")
@example('{"a": ' + "9" * 10_000 + "}", ".json")
@example("a: " + "9" * 10_000, ".yaml")
@example('{"x": {"_dict_": [[[1], 2]]}}', ".json")
@example('{"x": {"_set_": [[1]]}}', ".json")
@example('{"x": {"_range_": [0, 5, 0]}}', ".json")
@example('{"x": {"_call_": true}}', ".json")
@example('{"x": {"_ref_": "a..b"}}', ".json")
@example('{"_base_": "x"}', ".json")
@example('{"_base_": 3}', ".json")
@example('{"custom_imports": 3}', ".json")
@example('{"_deprecation_": 3}', ".json")
@example('{"1": 2}', ".json")
@example("1: 2", ".yaml")
def test_data(text, extension):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("X", "1")
        cfg = read_or_refused(lambda body: Config.fromstring(body, extension), text)
    assert isinstance(cfg, Config | ConfigError)
    if isinstance(cfg, Config):
        assert all(isinstance(key, str) for key in cfg.to_dict()) or extension == ".yaml"
