"""Worker processes end with the training, whatever still refers to them."""

from __future__ import annotations

import multiprocessing

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import TensorDataset

from mainspring.dataset import DataLoader
from mainspring.dataset.workers.worker_life import end_workers
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner

DATA = TensorDataset(torch.randn(16, 2), torch.randn(16, 1))


class Keeps(Hook):
    """Keeps what is iterated, or fails in the middle of it."""

    def __init__(self, fails):
        self.fails, self.seen = fails, []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(data_batch[0].sum().item())
        if self.fails and runner.iter == 1:
            raise RuntimeError("stopped")


class Around:
    """A loader of a user's own, which begins a torch loader itself."""

    def __init__(self, *arguments, **options):
        self.inner = {"one": TorchDataLoader(*arguments, **options)}

    def __len__(self):
        return len(self.inner["one"])

    def __iter__(self):
        yield from self.inner["one"]


class Within(Around):
    """Keeps what it iterates, and gives out another object."""

    def __iter__(self):
        self.batches = iter(self.inner["one"])
        return map(list, self.batches)


@pytest.mark.parametrize("kind", [DataLoader, TorchDataLoader, Around, Within])
@pytest.mark.parametrize("length", [{"max_epochs": 1}, {"by_epoch": False, "max_iters": 2}])
@pytest.mark.parametrize("fails", [False, True])
def test_no_worker_is_left(tmp_path, kind, length, fails):
    loader = kind(DATA, batch_size=4, num_workers=1, persistent_workers=True, shuffle=True)
    hook = Keeps(fails)
    runner = Runner(
        model=Supervised(nn.Linear(2, 1), nn.MSELoss()),
        work_dir=str(tmp_path),
        train_dataloader=loader,
        train_cfg=length,
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        custom_hooks=[hook],
        default_hooks={"checkpoint": None, "logger": None},
    )
    error = None
    try:
        runner.train()
    except RuntimeError as stopped:
        error = stopped  # with the frames of the loop
    assert (error is not None) == fails
    assert multiprocessing.active_children() == []
    if "max_iters" in length:
        batches = runner.train_loop.dataloader_iterator
        rest = [next(batches)[0].sum().item() for _ in range(2)]
        assert len({*hook.seen, *rest}) == 4  # the other half of the pass
        batches.end_workers()
    else:
        assert len(list(loader)) == 4
        end_workers(loader)
