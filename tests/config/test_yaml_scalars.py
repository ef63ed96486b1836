"""Words of YAML mean what YAML 1.2 and Python say; what older tools read otherwise is said."""

from __future__ import annotations

import math
import warnings

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring import fileio
from mainspring.config import Config
from mainspring.config.text_dialect.data_formats import dump_data


def read(text, tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return Config.fromfile(str(path)).to_dict()


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("1e-3", 1e-3), ("5E4", 5e4), ("-1e+3", -1e3), ("+.5", 0.5), ("1.", 1.0), ("1.5e3", 1500.0),
        ("-.inf", -math.inf), ("1_000", 1000), ("0x1F", 31), ("0o17", 15), ("0b11", 3), ("-7", -7),
        ("12:30", "12:30"), ("1:30:00", "1:30:00"), ("190:20.5", "190:20.5"), ("1e", "1e"),
        ("e5", "e5"), ("1.2.3", "1.2.3"), ("=", "="), ("y", "y"), ("true", True), ("FALSE", False),
        ("tRue", "tRue"), ("~", None), ("'1e-3'", "1e-3"),
    ],
)  # fmt: skip
def test_a_word_without_quotes(word, value, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got = read(f"key: {word}\n", tmp_path)["key"]
    assert (type(got), got) == (type(value), value)


@pytest.mark.parametrize(
    ("word", "value"), [("on", "on"), ("No", "No"), ("yes", "yes"), ("010", 10), ("-07", -7)]
)
def test_what_yaml_1_1_reads_otherwise_is_said_with_its_place(word, value, tmp_path):
    with pytest.warns(UserWarning, match=r"config.yaml:2:11: .*YAML 1.2.*quotes"):
        assert read(f"a: 1\nb: {{key:  {word}}}\n", tmp_path)["b"]["key"] == value


def test_keys_stay_words(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read("on: 1\noff: 2\nno: 3\nyes: 4\n", tmp_path) == dict(on=1, off=2, no=3, yes=4)


@settings(max_examples=80, deadline=None)
@given(st.from_regex(r"[-+]?[0-9.eE_:xobn]{1,6}", fullmatch=True) | st.sampled_from(["on", "no"]))
def test_a_dumped_text_is_a_text_again(word):
    text = dump_data({"key": word, "inner": {word: 1}}, ".yaml")
    assert Config.fromstring(text, ".yaml").to_dict() == {"key": word, "inner": {word: 1}}


def test_files_of_data_take_short_exponents_too(tmp_path):
    path = str(tmp_path / "data.yaml")
    fileio.dump({"text": "1e-3", "number": 1e-3}, path)
    assert fileio.load(path) == {"text": "1e-3", "number": 1e-3}
    (tmp_path / "data.yaml").write_text("lr: 1e-3\n")
    assert fileio.load(path) == {"lr": 1e-3}
