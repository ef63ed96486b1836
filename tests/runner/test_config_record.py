"""What a run writes down about its config."""

from __future__ import annotations

import json
import sys

import pytest
import torch

from mainspring.config import Config
from mainspring.runner import Runner
from mainspring.runner.config_record import operative_values, versions_of_packages

BASE = """
from torch import nn
from torch.optim import AdamW
from torch.utils.data import TensorDataset

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch
from record_data import Points

epochs = 3
model = Supervised(nn.Linear(2, 1), nn.MSELoss())
train_dataloader = DataLoader(Points(8), batch_size=4)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=0.1))
"""
DATA = """
import torch
from torch.utils.data import TensorDataset
class Points(TensorDataset):
    def __init__(self, count, scale=1.0):
        super().__init__(torch.randn(count, 2) * scale, torch.randn(count, 1))
"""


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "configs").mkdir()
    (tmp_path / "configs/base.py").write_text(BASE)
    (tmp_path / "child.py").write_text(
        "from mainspring.config import edit\nfrom .configs.base import *\n"
        "edit(train_dataloader).batch_size = 2\n"
    )
    (tmp_path / "record_data.py").write_text(DATA)
    cfg = Config.fromfile("child.py", overrides=["epochs=1", "optim_wrapper.optimizer.lr=0.2"])
    runner = Runner.from_cfg(cfg)
    runner.train()
    yield runner, tmp_path / "work_dirs/child" / runner.timestamp / "config"
    sys.modules.pop("record_data", None)


def test_sources_overrides_versions_and_operative_values(run):
    _, folder = run
    assert (folder / "sources/configs/base.py").read_text() == BASE
    assert "edit(train_dataloader)" in (folder / "sources/child.py").read_text()
    assert (folder / "overrides.txt").read_text() == "epochs=1\noptim_wrapper.optimizer.lr=0.2\n"
    versions = json.loads((folder / "packages.json").read_text())
    assert versions["torch"] == torch.__version__
    assert {"python", "mainspring"} <= set(versions)
    operative = Config.fromfile(folder / "operative.py")
    assert operative.optim_wrapper.optimizer.weight_decay == 0.01
    assert operative.optim_wrapper.optimizer.lr == 0.2
    assert operative.train_dataloader.dataset.scale == 1.0
    assert operative.train_dataloader.batch_size == 2


def test_the_resolved_config_describes_the_same_run(run, tmp_path):
    runner, _ = run
    again = Config.fromfile(tmp_path / "work_dirs/child/child.py")
    assert again.train_cfg == {"by_epoch": True, "max_epochs": 1}
    again.work_dir = str(tmp_path / "again")
    other = Runner.from_cfg(again)
    other.train()
    assert other.iter == runner.iter == 4


def test_a_config_without_files_has_no_sources(tmp_path):
    cfg = Config({"a": {"type": torch.nn.Linear, "in_features": 1}})
    assert operative_values(cfg)["a"]["bias"] is True
    assert versions_of_packages(cfg)["torch"] == torch.__version__
