"""Workers of a validation that stay from epoch to epoch draw a seed once in a run, resumed or not."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.dataset import pseudo_collate
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.runner import Runner


class Noisy(BaseModel):
    """Each loss depends on the generator of the main process, as with mixup or dropout."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, points, mode="tensor"):
        if mode == "predict":
            return points
        return {"loss": (self.weight * torch.rand(1)).sum()}


class Count(BaseMetric):
    def process(self, data_batch, data_samples):
        self.results.extend(data_samples)

    def compute_metrics(self, results):
        return {"count": len(results)}


class Losses(Hook):
    def __init__(self, killed_at=None):
        self.seen, self.killed_at = {}, killed_at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen[runner.iter] = float(outputs["loss"])
        if runner.iter == self.killed_at:
            raise RuntimeError("killed")


def losses(work_dir, killed_at=None, resume=False):
    hook = Losses(killed_at)
    loader = {
        "dataset": [{"points": torch.ones(2)}] * 4,
        "batch_size": 2,
        "num_workers": 1,
        "persistent_workers": True,
        "collate_fn": pseudo_collate,
        "sampler": {"type": "DefaultSampler", "shuffle": False},
    }
    runner = Runner(
        Noisy(),
        str(work_dir),
        train_dataloader={**loader, "num_workers": 0, "persistent_workers": False},
        train_cfg={"by_epoch": True, "max_epochs": 4},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        val_dataloader=loader,
        val_cfg={},
        val_evaluator=Count(),
        default_hooks={"logger": None},
        custom_hooks=[hook],
        randomness={"seed": 1, "sample_rng": "worker"},
        log_level="ERROR",
        resume=resume,
    )
    try:
        runner.train()
    except RuntimeError:
        assert killed_at is not None
    return hook.seen


@pytest.mark.parametrize("killed_at", [3, 5])
def test_a_resumed_run_draws_what_the_whole_run_draws(tmp_path, killed_at):
    whole = losses(tmp_path / "whole")
    before = losses(tmp_path / "killed", killed_at)
    after = losses(tmp_path / "killed", resume=True)
    assert {**before, **after} == whole
    assert min(after) < 6
