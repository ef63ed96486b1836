"""What is shown: no escape sequences of foreign text, no secrets of the environment."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from mainspring import output
from mainspring.errors import Location
from mainspring.json_text import json_text
from mainspring.output import Secret, masked, masked_values, note_secrets, printable


@pytest.fixture(autouse=True)
def other_environment(monkeypatch):
    monkeypatch.setattr(output, "_secrets", None)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain\n\tü 漢", "plain\n\tü 漢"),
        ("\x1b]0;title\x07\x1b[2J", "\\x1b]0;title\\x07\\x1b[2J"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("over\rwritten\r\n", "over\\x0dwritten\r\n"),
        ("\x9b2J\x08\x7f", "\\x9b2J\\x08\\x7f"),
        ("right\u202eleft", "right\\u202eleft"),
        ("/data/\udcc3\udcbc", "/data/\\udcc3\\udcbc"),
    ],
)
def test_control_characters_are_written_out(text, shown):
    assert printable(text) == shown


def test_only_colours_pass_where_colours_are_used():
    text = "\x1b[1;31mred\x1b[0m \x1b[8mhidden\x1b[2J"
    assert printable(text, colours=True) == "\x1b[1;31mred\x1b[0m \\x1b[8mhidden\\x1b[2J"


@pytest.mark.parametrize(
    ("name", "value", "is_secret"),
    [
        ("MS_TOKEN", "s3cr3t-VALUE", True),
        ("WANDB_API_KEY", "0123456789", True),
        ("ms_password", "correct horse", True),
        ("AWS_SECRET_ACCESS_KEY", "abcdefgh", True),
        ("MS_TOKEN", "short", False),
        ("DATA_ROOT", "/data/sets", False),
        ("KEYBOARD", "some-layout", False),
    ],
)
def test_values_of_variables_that_name_a_secret_are_masked(name, value, is_secret, monkeypatch):
    monkeypatch.setenv(name, value)
    note_secrets()
    text = f"https://user:{value}@host"
    assert masked(text) == (text.replace(value, "***") if is_secret else text)
    expected = {"a": [masked(text), 1, "***"]}
    assert masked_values({"a": [text, 1, Secret.of_variable(name, value)]}) == expected


def test_a_secret_is_text_and_stays_a_secret():
    secret = Secret.of_variable("A", "x")
    for same in (
        secret,
        copy.deepcopy(secret),
        copy.copy(secret),
        pickle.loads(pickle.dumps(secret)),
    ):
        assert (same, same.variable, type(same)) == ("x", "A", Secret)


def test_json_holds_no_number_that_json_lacks():
    value = {"nan": math.nan, 1: [np.float32(0.5), torch.tensor([1, 2]), -math.inf], "p": Path("a")}
    read = json.loads(json_text(value), parse_constant=pytest.fail)
    assert read == {"nan": None, "1": [0.5, [1, 2], None], "p": "a"}
    assert json_text([np.bool_(True), 3, "x", None], indent=1) == '[\n true,\n 3,\n "x",\n null\n]'


def test_json_of_a_data_class_is_that_of_its_fields():
    found = Location("a.py", 3)
    assert json.loads(json_text({"at": [found], "none": None})) == {
        "at": [dataclasses.asdict(found)],
        "none": None,
    }
