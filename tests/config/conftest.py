"""Config files written by a test."""

from __future__ import annotations

import sys

import pytest

from mainspring.config import Config


@pytest.fixture(autouse=True)
def without_the_zoo_of_others():
    """Looking for what a config names may import the folder `zoo` beside these tests."""
    _forget_folder("zoo")
    yield
    _forget_folder("zoo")


def _forget_folder(name):
    module = sys.modules.get(name)
    if module is not None and getattr(module, "__file__", None) is None:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The current directory, empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def write(folder):
    def write_file(name, text):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write_file


@pytest.fixture
def read(write):
    """Write a file and read it as a config."""

    def read_text(text, name="run.py", **options):
        return Config.fromfile(write(name, text), **options)

    return read_text
