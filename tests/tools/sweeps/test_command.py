"""`mainspring sweep` itself, with real trainings of a tiny model."""

from __future__ import annotations

import argparse
import json

import pytest

from mainspring.cli import sweep
from mainspring.errors import ConfigError

TINY = """
import torch
from torch import nn

from mainspring.evaluator import BaseMetric
from mainspring.model import BaseModel


class Data(torch.utils.data.Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, index):
        x = torch.tensor([index / 8.0])
        return x, 3 * x


class Line(BaseModel):
    def __init__(self, width=1):
        if width > 9:
            raise ValueError("too wide")
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(1, width), nn.Linear(width, 1))

    def forward(self, x, y, mode="tensor"):
        error = (self.layers(x) - y).square().mean()
        return dict(loss=error) if mode == "loss" else [error]


class Error(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results += [float(value) for value in data_samples]

    def compute_metrics(self, results):
        return dict(error=sum(results) / len(results))
"""
CONFIG = """
from tiny import Data, Error, Line
from torch.optim import SGD

from mainspring.config import later, sweep
from mainspring.dataset import DataLoader
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

epochs = 2
model = Line(width=sweep(2, 4, 10))
train_dataloader = DataLoader(Data(), batch_size=4)
val_dataloader = DataLoader(Data(), batch_size=4)
train_cfg = ByEpoch(max_epochs=epochs)
val_cfg = dict()
val_evaluator = Error()
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
randomness = dict(seed=0)
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "line.py").write_text(CONFIG)
    return tmp_path


def command(*words):
    parser = argparse.ArgumentParser()
    sweep.add_parser(parser.add_subparsers())
    options = parser.parse_args(["sweep", *words])
    options.run(options)


def test_real_runs_one_of_which_fails(config, capsys):
    with pytest.raises(SystemExit) as end:
        command(
            "line.py", "--jobs", "2", "--metric", "error", "--direction", "minimize",
            "--format", "json",
        )  # fmt: skip
    assert end.value.code == 1
    printed, out = capsys.readouterr()
    folder = config / "work_dirs" / "line" / "sweep"
    content = json.loads((folder / "sweep.json").read_text())
    assert json.loads(printed) == content
    assert [run["status"] for run in content["runs"]] == ["finished", "finished", "failed"]
    best, other, failed = content["runs"]
    assert best["best"] < other["best"]
    assert failed["choices"] == {"model.width": 10}
    assert "too wide" in (folder / "width=10" / "output.log").read_text()
    assert (folder / "width=2" / "epoch_2.pth").is_file()
    assert "mainspring train line.py model.width=2 --work-dir" in out
    assert f"failed, exit code {failed['exit_code']}" in out

    command("line.py", "model.width=2", "--sweep", "epochs=1,2", "--dry-run")
    assert not list(folder.glob("epochs=*"))
    out = capsys.readouterr().out
    assert out.splitlines()[:2] == ["2 runs in work_dirs/line/sweep", "  [1] epochs=1"]
    assert "mainspring train line.py model.width=2 epochs=2 --work-dir" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--jobs", "0"], "--jobs is 0"),
        (["--trials", "-1"], "--trials is -1"),
        (["--prune"], "--prune is for searches"),
        (["--seed", "1"], "--seed is for searches"),
        (["--metric", "goodness"], "does not tell whether greater or less"),
        (["epochs=1", "--sweep", "epochs=1,2"], "sets what --sweep sweeps"),
        (["--sweep", "epochs=1,2", "epochs=3,4"], "twice"),
        (["--sweep", "epoch=1,2"], "did you mean 'epochs'"),
        (["--trials", "3"], "needs --metric"),
    ],
)
def test_options_that_make_no_sense_are_refused(config, words, message):
    with pytest.raises(ConfigError, match=message):
        command("line.py", *words)
    assert not (config / "work_dirs").exists()


def test_a_single_value_after_sweep_is_a_change_for_all_runs(config, capsys):
    command("line.py", "--sweep", "model.width=2,4", "epochs=1", "--dry-run")
    assert "line.py epochs=1 model.width=2" in capsys.readouterr().out


def test_the_config_names_the_metric_and_the_folder(config):
    from mainspring.config import Config
    from mainspring.tools.sweeps import Metric, metric_for

    hook = dict(save_best="score", rule="less")
    cfg = Config(dict(default_hooks=dict(checkpoint=hook)))
    assert metric_for(cfg, None, None) == Metric("score", maximize=False)
    assert metric_for(cfg, "accuracy", None) == Metric("accuracy", maximize=True)
    assert metric_for(cfg, "val_loss", None) == Metric("val_loss", maximize=False)
    assert metric_for(cfg, None, "maximize") == Metric("score", maximize=True)
    assert metric_for(Config(dict()), None, None) == Metric(None, maximize=True)


def test_a_search_is_not_begun_twice(config):
    folder = config / "there"
    folder.mkdir()
    (folder / "study.log").write_text("")
    with pytest.raises(ConfigError, match="already") as caught:
        command("line.py", "--trials", "3", "--metric", "accuracy", "--work-dir", "there")
    assert "--resume" in caught.value.help
