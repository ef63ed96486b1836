"""A recorded call that stands in several sections is one object of the run."""

from __future__ import annotations

import pytest

from mainspring.config import Config
from mainspring.runner import Runner

CONFIG = """
from torch import nn
from torch.optim import SGD
from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.evaluator import Evaluator
from mainspring.runner import ByEpoch
from shared_zoo import Error, Points, Watch

points = Points(8)
layer = nn.Linear(2, 2)
model = Supervised(nn.Sequential(layer, layer), loss=nn.MSELoss())
train_dataloader = DataLoader(points, batch_size=4, shuffle=True)
val_dataloader = DataLoader(points, batch_size=4)
test_dataloader = val_dataloader
val_evaluator = Evaluator([Error()])
test_evaluator = val_evaluator
train_cfg = ByEpoch(max_epochs=1)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
custom_hooks = [Watch(model, points)]
work_dir = "out"
"""
ZOO = """
import torch
from torch.utils.data import TensorDataset
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
class Points(TensorDataset):
    made = 0
    def __init__(self, count: int):
        type(self).made += 1
        super().__init__(torch.randn(count, 2), torch.randn(count, 2))
class Watch(Hook):
    def __init__(self, model: torch.nn.Module, points: torch.utils.data.Dataset):
        self.model, self.points = model, points
class Error(BaseMetric):
    def process(self, data_batch, data_samples): self.results.append(0.0)
    def compute_metrics(self, results): return {"error": 0.0}
"""


@pytest.fixture
def config(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "shared_zoo.py").write_text(ZOO)
    (tmp_path / "run.py").write_text(CONFIG)
    return Config.fromfile("run.py")


def test_one_data_set_one_layer_one_evaluator(config):
    runner = Runner.from_cfg(config)
    runner.train()
    runner.test()
    net = runner.model.net
    assert net[0] is net[1]
    data_set = runner.train_dataloader.dataset
    assert runner.val_dataloader.dataset is runner.test_dataloader.dataset is data_set
    assert runner.val_evaluator is runner.test_evaluator
    watch = next(hook for hook in runner.hooks if type(hook).__name__ == "Watch")
    assert watch.model is runner.model
    assert watch.points is data_set
    assert type(data_set).made == 1

    # The next run has its own, also from the same sections and from what the first wrote down.
    again = Runner.from_cfg(Config.fromfile("out/run.py"))
    other = Runner(model=config.model, cfg=config, work_dir="other")
    third = Runner(model=config.model, cfg=config, work_dir="third")
    assert again.model.net[0] is again.model.net[1]
    assert len({id(r.model.net[0]) for r in (runner, again, other, third)}) == 4
