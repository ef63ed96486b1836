"""Files and changes that no config should have, and what is said about them."""

from __future__ import annotations

import json

import pytest

from mainspring.config import Config
from mainspring.errors import ConfigError


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def message(error):
    notes = getattr(error.value, "__notes__", [])
    return "\n".join([str(error.value), *notes])


def test_a_file_that_is_not_utf8_is_refused_at_its_line(folder):
    (folder / "latin.py").write_bytes("a = 1\nname = 'caf\xe9'\n".encode("latin-1"))
    with pytest.raises(ConfigError, match=r"cannot be decoded") as error:
        Config.fromfile("latin.py")
    assert "latin.py:2" in message(error)
    assert error.value.help == "save it as UTF-8"


def test_a_file_that_names_its_encoding_is_read(folder):
    text = "# -*- coding: latin-1 -*-\nname = 'caf\xe9'\n"
    (folder / "named.py").write_bytes(text.encode("latin-1"))
    assert Config.fromfile("named.py").name == "caf\xe9"


def test_lines_that_end_as_on_windows(folder):
    (folder / "windows.py").write_bytes(b"a = 1\r\nboth = '''x\r\ny'''\r\n")
    cfg = Config.fromfile("windows.py")
    assert (cfg.a, cfg.both) == (1, "x\ny")


def test_a_directory_is_no_config(folder):
    (folder / "configs.py").mkdir()
    with pytest.raises(FileNotFoundError, match=r"'configs.py' is a directory"):
        Config.fromfile("configs.py")


def test_a_list_that_holds_itself(folder):
    (folder / "loop.py").write_text("a = []\na.append(a)\n")
    with pytest.raises(ConfigError, match=r"deeper than 100 levels, or hold themselves"):
        Config.fromfile("loop.py")


def test_values_nested_too_deep(folder):
    (folder / "deep.json").write_text(
        json.dumps({"a": 1})[:-1] + ', "b": ' + "[" * 150 + "]" * 150 + "}"
    )
    with pytest.raises(ConfigError, match=r"deeper than 100 levels"):
        Config.fromfile("deep.json")


def test_the_command_line_does_not_replace_a_function(folder):
    (folder / "double.py").write_text(
        "from mainspring.runner import ByEpoch\n"
        "def twice(x):\n    return 2 * x\n\n"
        "epochs = twice(3)\ntrain_cfg = ByEpoch(max_epochs=epochs)\n"
    )
    assert Config.fromfile("double.py", overrides=["epochs=5"]).train_cfg["max_epochs"] == 5
    with pytest.raises(ConfigError, match="twice"):
        Config.fromfile("double.py", overrides=["twice=3"])


def test_what_the_command_line_gave_is_named_when_the_file_fails_with_it(folder):
    (folder / "sum.py").write_text(
        "from mainspring.runner import ByEpoch\nepochs = 3\ntrain_cfg = ByEpoch(max_epochs=epochs + 1)\n"
    )
    with pytest.raises(TypeError) as error:
        Config.fromfile("sum.py", overrides=["epochs='three'"])
    assert "the command line gives epochs the value 'three'" in message(error)
    assert "sum.py:3" in message(error)


def test_a_misspelt_argument_of_a_word(folder):
    (folder / "word.py").write_text(
        "from mainspring.runner import ByEpoch\ntrain_cfg = ByEpoch(max_epoch=3)\n"
    )
    with pytest.raises(TypeError) as error:
        Config.fromfile("word.py")
    assert "did you mean 'max_epochs'?" in message(error)


def test_places_follow_the_folder_when_it_changes(folder, monkeypatch):
    text = "from mainspring.runner import ByEpoch\nx = 1 / (2 - 2)\n"
    for name in ("first", "second"):
        (folder / name).mkdir()
        (folder / name / "same.py").write_text(text)
        monkeypatch.chdir(folder / name)
        with pytest.raises(ZeroDivisionError) as error:
            Config.fromfile("same.py")
        assert str(folder / name / "same.py") in str(error.traceback[-1].path)
