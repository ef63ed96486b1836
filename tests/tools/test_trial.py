"""A trial leaves the user's files and services alone, and is watched from both ends of the hooks."""

from __future__ import annotations

import pytest

from mainspring.config import Config
from mainspring.hooks import Hook
from mainspring.runner import Runner
from mainspring.tools.trial import EnoughError, Watch, as_trial, train_watched


@pytest.mark.parametrize(
    ("visualizer", "backends"),
    [
        (dict(type="Visualizer", vis_backends=[dict(type="WandbVisBackend")]), ["LocalVisBackend"]),
        (dict(type="Visualizer", save_dir="mine"), ["LocalVisBackend"]),
        (None, None),
    ],
)
def test_nothing_is_sent_or_resumed_and_the_config_is_not_changed(visualizer, backends, tmp_path):
    cfg = Config(dict(work_dir="mine", resume=True, launcher="pytorch", visualizer=visualizer))
    before = cfg.pretty_text
    trial = as_trial(cfg, str(tmp_path), load_from="start.pth")
    assert cfg.pretty_text == before
    assert (trial["work_dir"], trial["resume"], trial["launcher"]) == (str(tmp_path), False, "none")
    assert trial["load_from"] == "start.pth"
    assert trial["randomness"]["seed"] == 0
    if backends is None:
        assert trial["visualizer"] is None
    else:
        assert [backend["type"] for backend in trial["visualizer"]["vis_backends"]] == backends
        assert "save_dir" not in trial["visualizer"]


def test_a_seed_of_the_config_is_kept(tmp_path):
    trial = as_trial(Config(dict(randomness=dict(seed=7))), str(tmp_path))
    assert trial["randomness"] == dict(seed=7)


class Noting(Hook):
    priority = "NORMAL"

    def __init__(self, seen):
        self.seen = seen

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        self.seen.append("hook begins")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append("hook ends")


class Twice(Watch):
    def __init__(self, seen):
        self.seen = seen

    def training_begins(self, runner):
        self.seen.append("training")

    def batch_came(self, runner, data_batch):
        self.seen.append("batch")

    def step_ended(self, runner):
        self.seen.append("step")

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append("watch")
        if runner.iter + 1 == 2:
            raise EnoughError


def test_a_watch_sees_a_step_before_and_after_all_hooks_and_ends_the_run(tmp_path):
    import torch
    from torch import nn
    from torch.utils.data import TensorDataset

    from mainspring.model import Supervised

    seen: list[str] = []
    data = TensorDataset(torch.zeros(8, 2), torch.zeros(8, 1))
    runner = Runner(
        model=Supervised(nn.Linear(2, 1), nn.MSELoss()),
        work_dir=str(tmp_path),
        train_dataloader=dict(dataset=data, batch_size=2, shuffle=True),
        train_cfg=dict(max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        custom_hooks=[Noting(seen)],
    )
    assert train_watched(runner, Twice(seen))
    step = ["batch", "hook begins", "step", "hook ends", "watch"]
    assert seen == ["training", *step, *step]
