"""`mainspring show`: the resolved config, where its values come from, what a key means."""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys

import pytest

from mainspring.cli import show
from mainspring.errors import CheckpointError, ConfigError

ZOO = '''
class ResNet:
    """A residual network, as in
    "Deep Residual Learning".

    It is deep.

    Args:
        depth (int): Number of layers, one of
            18, 34, 50.
        stages: Stages that are not trained.

    Raises:
        ValueError: depth: is wrong.
    """

    def __init__(self, depth: int, stages: int = 0, act: str | None = None) -> None: ...


class Net:
    def __init__(self, backbone, classes=80):
        """Make it.

        Args:
            backbone: What finds features.
        """
'''
BASE = """from zoo import Net, ResNet, Schedule
from mainspring.config import later

epochs = 12
model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
schedule = later(Schedule)(milestones=[epochs * 2 // 3], gamma=0.1)
"""
CHILD = """from zoo import ResNet
from mainspring.config import edit
from .base import *

edit(model).backbone = ResNet(depth=101)
"""


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for name, text in {"zoo": ZOO, "base": BASE, "run": CHILD}.items():
        (tmp_path / f"{name}.py").write_text(text)
    yield
    sys.modules.pop("zoo", None)


@pytest.fixture
def shown(capsys):
    """Run the verb, and return what it prints."""

    def run(*words):
        parser = argparse.ArgumentParser()
        show.add_parser(parser.add_subparsers())
        options, rest = parser.parse_known_args(["show", *words])
        options.overrides += rest
        options.run(options)
        return capsys.readouterr().out

    return run


def test_the_whole_config(shown, tmp_path):
    (tmp_path / "plain.py").write_text("a = 1.5\nb = dict(x='a', y=[1, 2])\n")
    assert shown("plain.py", "a=2", "+b.z=3") == "a = 2\nb = dict(x='a', y=[1, 2], z=3)\n"
    assert shown("plain.py", "--format", "py") == (tmp_path / "plain.py").read_text()


def test_other_formats(shown, tmp_path):
    (tmp_path / "plain.py").write_text("b = dict(y=[1, 2], x='a')\na = 1.5\n")
    assert json.loads(shown("plain.py", "--format", "json")) == {
        "a": 1.5,
        "b": {"x": "a", "y": [1, 2]},
    }
    assert "a: 1.5" in shown("plain.py", "--format", "yaml").split("\n")


def test_origins_of_all_values(shown):
    assert (
        shown("run.py", "--origin", "epochs=24")
        == """\
epochs = 24
    base.py:4:1   epochs = 12  (12 here)
    command line  epochs=24
model.type = zoo.Net
    base.py:5:9  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
model.backbone.type = zoo.ResNet
    base.py:5:22  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
    run.py:5:24   edit(model).backbone = ResNet(depth=101)
model.backbone.depth = 101
    base.py:5:29  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)  (50 here)
    run.py:5:31   edit(model).backbone = ResNet(depth=101)
model.classes = 80
    base.py:5:50  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
schedule.type = zoo.Schedule
    base.py:6:18  schedule = later(Schedule)(milestones=[epochs * 2 // 3], gamma=0.1)
schedule.milestones = [16]
    base.py:4:1   epochs = 12
    base.py:6:28  schedule = later(Schedule)(milestones=[epochs * 2 // 3], gamma=0.1)
    command line  epochs=24
schedule.gamma = 0.1
    base.py:6:58  schedule = later(Schedule)(milestones=[epochs * 2 // 3], gamma=0.1)
"""
    )


def test_origins_of_one_part(shown):
    assert (
        shown("run.py", "model.classes", "--origin")
        == """\
model.classes = 80
    base.py:5:50  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
"""
    )


def test_a_call(shown):
    assert (
        shown("run.py", "model.backbone")
        == """\
model.backbone = zoo.ResNet(depth=101)
  type     a call
  set by   base.py:5:13  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)
           run.py:5:13   edit(model).backbone = ResNet(depth=101)
  calls    zoo.ResNet(depth: int, stages: int = 0, act: str | None = None) -> None
  not set  stages=0, act=None
  about    A residual network, as in "Deep Residual Learning".
  for      zoo.Net(backbone)
  about    What finds features.
"""
    )


def test_a_parameter(shown):
    assert (
        shown("run.py", "model.backbone.depth")
        == """\
model.backbone.depth = 101
  type    int
  set by  base.py:5:29  model = Net(backbone=ResNet(depth=50, stages=1), classes=80)  (50 here)
          run.py:5:31   edit(model).backbone = ResNet(depth=101)
  for     zoo.ResNet(depth: int)
  about   Number of layers, one of 18, 34, 50.
"""
    )


def test_a_parameter_that_is_not_set(shown):
    assert (
        shown("run.py", "model.backbone.stages")
        == """\
model.backbone.stages is not set
  for    zoo.ResNet(stages: int = 0)
  about  Stages that are not trained.
"""
    )


def test_a_class_that_cannot_be_imported(shown):
    assert (
        shown("run.py", "schedule")
        == """\
schedule = later(zoo.Schedule)(milestones=[8], gamma=0.1)
  type    a call whose first argument the runner adds
  set by  base.py:6:1  schedule = later(Schedule)(milestones=[epochs * 2 // 3], gamma=0.1)
  import  zoo.Schedule cannot be imported: Failed to import Schedule from zoo: \
'zoo' has no attribute 'Schedule' (the config names it in base.py, line 1)
"""
    )


def test_a_variable(shown):
    assert (
        shown("run.py", "epochs", "epochs=3")
        == """\
epochs = 3
  type    int
  set by  base.py:4:1   epochs = 12  (12 here)
          command line  epochs=3
"""
    )


def test_a_name_of_a_registry(shown, tmp_path):
    (tmp_path / "text.py").write_text("hook = dict(type='EMAHook', begin_epoch=2)")
    lines = shown("text.py", "hook.begin_epoch").split("\n")
    assert lines[0] == "hook.begin_epoch = 2"
    assert lines[3].startswith("  for     EMAHook(begin_epoch: int = 0)")
    lines = shown("text.py", "hook").split("\n")
    assert lines[0] == "hook = dict(type='EMAHook', begin_epoch=2)"
    assert "strict_load=False" in lines[4]
    (tmp_path / "text.py").write_text("hook = dict(type='EMAHok')")
    assert shown("text.py", "hook").split("\n")[3] == (
        "  import  EMAHok cannot be imported: no registry has this name"
    )
    (tmp_path / "text.py").write_text("default_scope = 'mmnothing'\nhook = dict(type='EMAHok')")
    assert (
        shown("text.py", "hook")
        .split("\n")[3]
        .endswith("no registry has this name; the scope 'mmnothing' is not installed")
    )


def test_positional_arguments_have_names_and_numbers(shown, tmp_path):
    (tmp_path / "run.py").write_text("from zoo import Net, ResNet\nmodel = Net(ResNet(50), 20)")
    assert shown("run.py", "model._args_.1").split("\n")[0] == "model._args_.1 = 20"
    assert (
        shown("run.py", "model.backbone.depth")
        == """\
model.backbone.depth = 50
  type    int
  set by  run.py:2:20  model = Net(ResNet(50), 20)
  for     zoo.ResNet(depth: int)
  about   Number of layers, one of 18, 34, 50.
"""
    )


@pytest.mark.parametrize(
    ("key", "message", "advice"),
    [
        (
            "model.backbon.depth",
            "base.py:5:1: model has no 'backbon'",
            "did you mean 'model.backbone.depth'?",
        ),
        ("modle", "the config has no 'modle'", "did you mean 'model'?"),
        (
            "train_cfg",
            "the config has no 'train_cfg'",
            "the config says nothing about train_cfg",
        ),
        (
            "model.milestones",
            "base.py:5:1: model has no 'milestones'",
            "did you mean 'schedule.milestones'?",
        ),
        (
            "schedule.milestones.4",
            "base.py:6:28: schedule.milestones has no '4'",
            "it has 1 items, counted from 0",
        ),
        ("model.classes.x", "base.py:5:50: model.classes has no 'x'", "it is 80"),
    ],
)
def test_an_unknown_key(shown, key, message, advice):
    with pytest.raises(ConfigError) as error:
        shown("run.py", key)
    assert str(error.value) == f"{message}\n  at: {key}\n  help: {advice}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["a", "b"], "show explains one key, but got 2: a, b"),
        (["epochs", "--format", "json"], "--format is for the whole config"),
        (["--origin", "--format", "json"], "--format is for the whole config"),
        (["modle=1"], "the config has no 'modle'"),
    ],
)
def test_words_that_make_no_sense(shown, words, message):
    with pytest.raises(ConfigError, match=re.escape(message)):
        shown("run.py", *words)


def test_a_checkpoint_shows_its_config_and_runs_nothing(shown, tmp_path):
    import torch

    text = "model = dict(type='Net')\nimport os; os.remove('run.py')\n"
    torch.save({"meta": {"cfg": text}, "state_dict": {}}, "a.pth")
    torch.save({"state_dict": {}}, "b.pth")
    assert shown("a.pth") == text
    assert show.config_of_checkpoint("a.pth") == text
    assert (tmp_path / "run.py").is_file()
    with pytest.raises(CheckpointError, match="b.pth has no config"):
        shown("b.pth")
    with pytest.raises(ConfigError, match="the config of a checkpoint is only printed"):
        shown("a.pth", "model")
    with pytest.raises(FileNotFoundError, match="c.pth"):
        shown("c.pth")


def test_colours_on_a_terminal_only(shown, tmp_path, monkeypatch):
    (tmp_path / "plain.py").write_text("a = dict(b='x', c=1, d=True)\n")
    plain = "a = dict(b='x', c=1, d=True)\n"
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert shown("plain.py") == plain
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    key, string, number, end = "\x1b[36m", "\x1b[32m", "\x1b[35m", "\x1b[0m"
    assert shown("plain.py") == (
        f"{key}a{end} = dict({key}b{end}={string}'x'{end}, {key}c{end}={number}1{end}, "
        f"{key}d{end}={number}True{end})\n"
    )
    monkeypatch.setenv("NO_COLOR", "1")
    assert shown("plain.py") == plain


def test_what_is_no_python_is_printed_as_it_is(shown, monkeypatch):
    import torch

    from mainspring.cli.printing import highlight

    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    assert highlight("a = (1,\n") == "a = (1,\n"
    assert highlight("# ä\ns = '''1\n2'''\n") == (
        "\x1b[90m# ä\x1b[0m\n\x1b[36ms\x1b[0m = \x1b[32m'''1\x1b[0m\n\x1b[32m2'''\x1b[0m\n"
    )
    torch.save({"meta": {"cfg": "model: {a: 'x\n"}}, "a.pth")
    assert shown("a.pth") == "model: {a: 'x\n"


@pytest.mark.parametrize("words", [["run.py"], ["run.py", "--origin"], ["run.py", "epochs=3"]])
def test_nothing_heavy_is_imported(words):
    code = (
        "import argparse, sys\n"
        "from mainspring.cli import show\n"
        "parser = argparse.ArgumentParser()\n"
        "show.add_parser(parser.add_subparsers())\n"
        f"options = parser.parse_args({['show', *words]!r})\n"
        "options.run(options)\n"
        "heavy = {'torch', 'numpy', 'zoo', 'yaml'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert "101" in result.stdout
