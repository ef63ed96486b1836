"""Which run a work directory belongs to: what earlier ones left there is told from one's own."""

from __future__ import annotations

import errno
import os

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.dataset import DataLoader
from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.runner import Runner


class Scores(BaseMetric):
    def __init__(self, *scores):
        super().__init__()
        self.scores = list(scores)

    def process(self, data_batch, data_samples):
        self.results.append(0)

    def compute_metrics(self, results):
        return {"accuracy": self.scores.pop(0)}


class StopsAt(Hook):
    def __init__(self, iteration):
        self.iteration = iteration

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.iteration:
            raise RuntimeError("stopped")


def runner_in(work_dir, epochs=2, scores=(), **more):
    data = TensorDataset(torch.randn(8, 2), torch.randn(8, 1))
    if scores:
        more |= {
            "val_dataloader": DataLoader(data, batch_size=4),
            "val_evaluator": Scores(*scores),
            "default_hooks": {
                "checkpoint": {"type": "CheckpointHook", "interval": 1, "save_best": "accuracy"}
            },
        }
    return Runner(
        model=Supervised(nn.Linear(2, 1), nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(data, batch_size=4),
        train_cfg={"max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.1}},
        **more,
    )


def test_a_run_that_ended_before_its_first_checkpoint_is_not_continued_from_another(
    tmp_path, capsys
):
    runner_in(tmp_path).train()
    stopped = runner_in(tmp_path, epochs=3, custom_hooks=[StopsAt(2)])
    with pytest.raises(RuntimeError, match="stopped"):
        stopped.train()
    assert "earlier run" in capsys.readouterr().out
    resumed = runner_in(tmp_path, epochs=3, resume=True)
    resumed.train()
    said = capsys.readouterr().out
    assert "earlier run (epoch_2.pth, epoch_1.pth) that are not used" in said
    again = runner_in(tmp_path, epochs=3, resume=True)
    again.train()
    assert again.epoch == 3
    said = capsys.readouterr().out
    assert "epoch_3.pth" in said
    assert "this run is finished" in said
    assert "train_cfg.max_epochs=6" in said


def test_a_path_continues_an_earlier_run(tmp_path):
    runner_in(tmp_path).train()
    with pytest.raises(RuntimeError, match="stopped"):
        runner_in(tmp_path, custom_hooks=[StopsAt(1)]).train()
    resumed = runner_in(
        tmp_path, epochs=3, resume=str(tmp_path / "epoch_2.pth"), custom_hooks=[StopsAt(5)]
    )
    with pytest.raises(RuntimeError, match="stopped"):
        resumed.train()
    assert resumed.epoch == 2


def test_training_again_with_the_same_runner_keeps_its_checkpoints(tmp_path):
    runner = runner_in(tmp_path)
    runner.train()
    runner.train()
    resumed = runner_in(tmp_path, epochs=3, resume=True)
    resumed.train()
    assert resumed.iter == 6
    assert resumed.epoch == 3


def test_best_checkpoints_of_an_earlier_run_are_set_aside(tmp_path):
    for scores in ([0.5, 0.9], [0.6, 0.1], [0.7, 0.8]):
        runner_in(tmp_path, scores=scores).train()
    assert [path.name for path in tmp_path.glob("best_*")] == ["best_accuracy_epoch_2.pth"]
    assert [path.name for path in (tmp_path / "earlier").iterdir()] == ["best_accuracy_epoch_2.pth"]


@pytest.mark.parametrize("call", ["chmod", "fsync"])
def test_storage_that_knows_no_modes_or_cannot_flush(tmp_path, monkeypatch, call):
    def refuses(*_):
        raise OSError(errno.EPERM if call == "chmod" else errno.ENOTSUP, "not here")

    monkeypatch.setattr(os, call, refuses)
    runner_in(tmp_path).train()
    monkeypatch.undo()
    assert (tmp_path / "epoch_2.pth").exists()
