"""Changes on a command line: DictAction and merge_from_dict."""

from __future__ import annotations

import argparse
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.config import Config, DictAction
from mainspring.errors import ConfigError


def parse(*words):
    parser = argparse.ArgumentParser()
    parser.add_argument("--cfg-options", nargs="+", action=DictAction)
    return parser.parse_args(words).cfg_options


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-3", -3),
        ("1.5", 1.5),
        ("1e-3", 1e-3),
        ("inf", math.inf),
        ("true", True),
        ("FALSE", False),
        ("None", None),
        ("none", "none"),
        ("", ""),
        ("adam", "adam"),
        ("b=c", "b=c"),
        ("a,b", ["a", "b"]),
        ("1,", [1]),
        (" 1 , 2 ", [1, 2]),
        ("[]", []),
        ("()", ()),
        ("[1]", [1]),
        ("(1)", (1,)),
        ("[1,]", [1]),
        ("[(1,2),[3,x]]", [(1, 2), [3, "x"]]),
        ("((1,2),(3,4))", ((1, 2), (3, 4))),
        ("(1,2),[3]", [(1, 2), [3]]),
        ("'x'", "x"),
        ('"x,y"', ["x", "y"]),
        ('"[1,2]"', [1, 2]),
        ("[\"x\",'y']", ["x", "y"]),
        ("['a, b', c]", ["a, b", "c"]),
        ("[x y, z]", ["x y", "z"]),
        ("{b:1}", "{b:1}"),
        ("f(1,2)", "f(1,2)"),
        ("()x", "()x"),
        ("http://host:1/[2]", "http://host:1/[2]"),
        ("it's", "it's"),
    ],
)
def test_values(text, value):
    parsed = parse("--cfg-options", f"key={text}")["key"]
    assert parsed == value
    assert type(parsed) is type(value)


def test_words_accumulate():
    words = ("--cfg-options", "a.b=1", "c=2", "--cfg-options", "c=3", "d=x=y")
    assert parse(*words) == {"a.b": 1, "c": 3, "d": "x=y"}


def test_a_default_is_not_changed():
    default = {"a": 1}
    parser = argparse.ArgumentParser()
    parser.add_argument("--o", nargs="+", action=DictAction, default=default)
    assert parser.parse_args(["--o", "b=2"]).o == {"a": 1, "b": 2}
    assert default == {"a": 1}


@pytest.mark.parametrize("text", ["[1,2", "1,2)", "(1,2],3", "[(1]"])
def test_brackets_that_do_not_match(text):
    with pytest.raises(AssertionError, match="brackets do not match") as error:
        parse("--cfg-options", f"a={text}")
    assert isinstance(error.value, ConfigError)


def test_a_word_without_equals():
    with pytest.raises(ValueError, match="'a' is no change of a config"):
        parse("--cfg-options", "a")


scalars = st.integers() | st.booleans() | st.none() | st.from_regex(r"[a-z]{1,5}", fullmatch=True)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.lists(inner, max_size=3).map(tuple)
)


def written(value):
    if isinstance(value, list | tuple):
        opening, closing = "[]" if isinstance(value, list) else "()"
        return opening + ",".join(written(item) for item in value) + closing
    return str(value)


@given(values.filter(lambda v: v not in ("true", "false", "inf", "nan")))
def test_what_is_written_is_read(value):
    assert DictAction.parse_value(written(value)) == value or "inf" in written(value)


@given(st.text())
def test_any_text_is_a_value_or_a_mistake(text):
    try:
        value = DictAction.parse_value(text)
    except ConfigError as error:
        value = error.message
    assert isinstance(value, bool | int | float | str | list | tuple | dict | None)


def merged(values, changes, **options):
    cfg = Config(values)
    cfg.merge_from_dict(changes, **options)
    return cfg.to_dict()


@pytest.mark.parametrize(
    ("values", "changes", "result"),
    [
        (dict(a=dict(b=1)), {"a.b": 2}, dict(a=dict(b=2))),
        (dict(a=dict(b=1)), {"a.c.d": 2}, dict(a=dict(b=1, c=dict(d=2)))),
        (dict(a=1), {"z.y": 2}, dict(a=1, z=dict(y=2))),
        (dict(a=dict(b=1)), {"a": dict(c=1), "a.d": 4}, dict(a=dict(b=1, c=1, d=4))),
        (dict(a=dict(b=1)), {"a": dict(_delete_=True, c=1)}, dict(a=dict(c=1))),
        (dict(a=dict(b=1)), {"a": 5}, dict(a=5)),
        (dict(a=[1, 2]), {"a": [3]}, dict(a=[3])),
        (dict(a=[dict(x=1, y=1), 2]), {"a.0.x": 5}, dict(a=[dict(x=5, y=1), 2])),
        (dict(a=[[1, 2], [3]]), {"a.0.1": 5}, dict(a=[[1, 5], [3]])),
        (dict(a={"0": 1}), {"a.0": 2}, dict(a={"0": 2})),
        (dict(a=[dict(b=1)]), {"a.0": dict(_delete_=True, z=1)}, dict(a=[dict(z=1)])),
        (dict(a=1), {}, dict(a=1)),
    ],
)
def test_merge_from_dict(values, changes, result):
    assert merged(values, changes) == result


@pytest.mark.parametrize(
    ("values", "changes", "options", "builtin", "message"),
    [
        (dict(a=1), {"a.b": 1}, {}, TypeError, "at: a\n"),
        (dict(a=dict(b=None)), {"a.b.c": 1}, {}, TypeError, "at: a.b\n"),
        (dict(a=[1]), {"a.1": 1}, {}, KeyError, "the index 1 exceeds the length"),
        (dict(a=[1]), {"a.x": 1}, {}, TypeError, "'x' is no index of a list"),
        (dict(a=(1,)), {"a.0": 1}, {}, TypeError, "of type tuple"),
        (dict(a=[1]), {"a.0": 1}, dict(allow_list_keys=False), TypeError, "of type list"),
    ],
)
def test_changes_that_do_not_fit(values, changes, options, builtin, message):
    with pytest.raises(builtin) as error:
        merged(values, changes, **options)
    assert isinstance(error.value, ConfigError)
    assert message in str(error.value)


def test_a_failed_change_leaves_the_config_as_it_was():
    cfg = Config(dict(a=dict(x=1), b=1))
    with pytest.raises(TypeError):
        cfg.merge_from_dict({"a.x": 2, "b.c": 1})
    assert cfg.to_dict() == dict(a=dict(x=1), b=1)


@given(st.dictionaries(st.from_regex(r"[abc](\.[abc]){0,2}", fullmatch=True), st.integers()))
def test_changing_twice_is_changing_once(changes):
    once, twice = Config(dict(z=1)), Config(dict(z=1))
    try:
        once.merge_from_dict(changes)
    except TypeError:
        return
    twice.merge_from_dict(changes)
    twice.merge_from_dict(changes)
    assert once.to_dict() == twice.to_dict()


class TestDumps:
    """Variables of a dump are resolved: changing one changes nothing else."""

    @pytest.fixture
    def dump(self, tmp_path):
        path = tmp_path / "run.py"
        path.write_text(
            "from torch.optim import AdamW\nfrom mainspring.config import later\n"
            "from mainspring.optim import OptimWrapper\nlr = 0.25\nunused = 'x'\nwork_dir = 'here'\n"
            "optim_wrapper = OptimWrapper(later(AdamW)(lr=lr))\n"
        )
        Config.fromfile(path).dump(tmp_path / "dump.py")
        return tmp_path / "dump.py"

    def test_a_variable_that_has_no_effect_is_refused_with_the_place_of_its_value(self, dump):
        with pytest.raises(ConfigError, match="changing lr would have no effect") as error:
            Config.fromfile(dump, overrides=["lr=3"])
        assert error.value.help.startswith("set it there: optim_wrapper.optimizer.lr=...;")

    def test_names_like_that_of_the_variable_come_first(self, tmp_path):
        (tmp_path / "run.py").write_text(
            "from torch import nn\nepochs = 2\nmodel = nn.Sequential(nn.Linear(epochs, 2))\n"
            "train_cfg = dict(max_epochs=epochs)\n"
        )
        Config.fromfile(tmp_path / "run.py").dump(tmp_path / "dump.py")
        with pytest.raises(ConfigError) as error:
            Config.fromfile(tmp_path / "dump.py", overrides=["epochs=3"])
        assert error.value.help.startswith("set it there: train_cfg.max_epochs=...;")
        assert "stands in train_cfg.max_epochs, model.0.in_features" in error.value.message

    @pytest.mark.parametrize(
        "word", ["+lr=3", "unused=y", "work_dir=there", "optim_wrapper.optimizer.lr=3"]
    )
    def test_what_has_an_effect_or_is_forced_is_not(self, dump, word):
        cfg = Config.fromfile(dump, overrides=[word])
        path, value = word.lstrip("+").split("=")
        part = cfg
        for name in path.split("."):
            part = part[name]
        assert str(part) == value
