"""``MAINSPRING_FAST=0``: no shortcut is taken, and every bit stays the same."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, TensorDataset, default_collate

from mainspring import fast
from mainspring.dataset import DataLoader
from mainspring.dataset.workers.tensor_rows import TensorRows
from mainspring.fast import twister_memory
from mainspring.fast.quick_step import QuickStep
from mainspring.model import Supervised
from mainspring.runner import Runner


class Drawn(Dataset):
    def __len__(self):
        return 24

    def __getitem__(self, index):
        drawn = [random.random(), np.random.normal(), float(torch.rand(()))]
        return torch.tensor(drawn), index % 2


DATA = {
    "rows": TensorDataset(torch.linspace(-1, 1, 72).view(24, 3), torch.arange(24) % 2),
    "drawn": Drawn(),
}


@pytest.fixture
def without_shortcuts(monkeypatch):
    def turn_off():
        monkeypatch.setattr(fast, "_ENABLED", False)
        twister_memory.python_twister.cache_clear()

    yield turn_off
    monkeypatch.undo()
    twister_memory.python_twister.cache_clear()


def weights(folder, data):
    torch.manual_seed(0)
    runner = Runner(
        Supervised(
            nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2)), nn.CrossEntropyLoss()
        ),
        work_dir=str(folder),
        train_dataloader=DataLoader(DATA[data], batch_size=4, shuffle=True),
        train_cfg=dict(max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.02)),
        randomness=dict(seed=0),
        log_level="ERROR",
    )
    return list(runner.train().parameters())


@pytest.mark.parametrize("data", DATA)
def test_a_run_has_the_same_bits(tmp_path, without_shortcuts, data):
    quick = weights(tmp_path / "quick", data)
    without_shortcuts()
    plain = weights(tmp_path / "plain", data)
    assert all(torch.equal(a, b) for a, b in zip(quick, plain, strict=True))


def test_no_shortcut_is_taken(without_shortcuts):
    assert TensorRows.of(DATA["rows"], default_collate) is not None
    without_shortcuts()
    optimizer = torch.optim.SGD(nn.Linear(2, 1).parameters(), lr=0.1)
    assert QuickStep(optimizer)._kind is None
    assert twister_memory.python_twister() is None
    assert twister_memory.numpy_twister() is None
    assert TensorRows.of(DATA["rows"], default_collate) is None
