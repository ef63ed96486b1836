"""Configs that sweep, and runs whose processes are small scripts rather than trainings."""

from __future__ import annotations

import sys

import pytest

from mainspring.config import Config
from mainspring.tools.sweeps import Choice, Run

STUB = """
import json, os, sys, time
words = dict(word.split("=", 1) for word in sys.argv[1:] if "=" in word)
folder = sys.argv[sys.argv.index("--work-dir") + 1]
data = os.path.join(folder, f"log_{time.time_ns()}", "vis_data")
os.makedirs(data)
def write(step, **values):
    with open(os.path.join(data, "scalars.json"), "a") as file:
        file.write(json.dumps({**values, "step": step}) + "\\n")
"""


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Makes the loader of a config with a given text."""
    monkeypatch.chdir(tmp_path)

    def make(text, name="config.py"):
        head = "from mainspring.config import choice, later, loguniform, sweep, uniform\n"
        (tmp_path / name).write_text(head + "from zoo import A, B, C\n" + text)
        return lambda words: Config.fromfile(name, overrides=words)

    return make


@pytest.fixture
def script(tmp_path):
    """Makes the command of runs that execute a script; it has `words`, `folder` and `write`."""

    def make(text):
        (tmp_path / "stub.py").write_text(STUB + text)

        def command(run):
            resume = ["--resume"] if run.continues else []
            work_dir = ["--work-dir", str(run.folder)]
            return [sys.executable, str(tmp_path / "stub.py"), *run.words, *work_dir, *resume]

        return command

    return make


@pytest.fixture
def make_run(tmp_path):
    """Makes a run that chooses a value of ``lr``."""

    def make(value, digest="0"):
        choices = {"lr": Choice(str(value), str(value), value)}
        folder = tmp_path / "sweep" / f"lr={value}"
        return Run(f"lr={value}", folder, [f"lr={value}"], choices, digest)

    return make
