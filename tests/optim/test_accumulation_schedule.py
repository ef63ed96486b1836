"""A number of micro-batches that changes: held against a loop that cuts the groups by hand."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn
from torch.utils.data import IterableDataset, TensorDataset

from mainspring.checkpoint import load_file
from mainspring.cli.main import main
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.model import Supervised
from mainspring.optim import AmpOptimWrapper, OptimWrapper
from mainspring.optim.optimizer.accumulation import AccumulationSchedule
from mainspring.runner import Runner

INPUTS = torch.randn(20, 3, generator=torch.Generator().manual_seed(1))
TARGETS = INPUTS.sum(1, keepdim=True)


def groups_by_hand(pairs, length, unit=1):
    """Groups of micro-batches, cut one after the other."""
    groups, done = [], 0
    while done < length:
        size = [size for begin, size in pairs if begin * unit <= done][-1]
        groups.append(list(range(done, min(done + size, length))))
        done += size
    return groups


SCHEDULES = [
    [(0, 1)],
    [(0, 3)],
    [(0, 1), (4, 2), (9, 5)],
    [(0, 4), (1, 2), (2, 3)],
    [(0, 5), (7, 1), (8, 4)],
    [(0, 2), (5, 7), (6, 1), (20, 2)],
]


@pytest.mark.parametrize("pairs", SCHEDULES)
@pytest.mark.parametrize("unit", [1, 3])
def test_groups_are_those_that_one_cuts_by_hand(pairs, unit):
    schedule = AccumulationSchedule(pairs, unit)
    groups = groups_by_hand(pairs, 90, unit)[:-1]
    for number, group in enumerate(groups):
        for micro_batch in group:
            assert schedule.group_of(micro_batch) == (group[0], len(group))
            assert schedule.groups_before(micro_batch) == number


def network():
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def by_hand(pairs, length, unit=1, inputs=INPUTS, targets=TARGETS):
    net = network()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
    for group in groups_by_hand(pairs, length, unit):
        for number in group:
            rows = slice(number * 2 % 20, number * 2 % 20 + 2)
            loss = nn.functional.mse_loss(net(inputs[rows]), targets[rows])
            (loss / len(group)).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net.state_dict(), len(groups_by_hand(pairs, length, unit))


class Cut(Hook):
    priority = "LOWEST"

    def __init__(self, at):
        self.at = at

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if runner.iter + 1 == self.at:
            raise KeyboardInterrupt


def run(work_dir, pairs, cut_at=None, resume=False, by_epoch=True, **changes):
    length = {"max_epochs": 3} if by_epoch else {"by_epoch": False, "max_iters": 27}
    optimizer = {"type": "SGD", "lr": 0.05, "momentum": 0.9}
    settings = {
        "optim_wrapper": {"optimizer": optimizer, "accumulative_counts": pairs},
        "train_dataloader": DataLoader(TensorDataset(INPUTS, TARGETS), batch_size=2),
        **changes,
    }
    runner = Runner(
        model=Supervised(network(), nn.MSELoss()),
        work_dir=str(work_dir),
        train_cfg=length,
        default_hooks={"checkpoint": {"type": "CheckpointHook", "interval": 1, "by_epoch": False}},
        custom_hooks=[Cut(cut_at)],
        randomness={"seed": 0},
        resume=resume,
        **settings,
    )
    if cut_at is None:
        runner.train()
        return runner
    with pytest.raises(KeyboardInterrupt):
        runner.train()
    return runner


@pytest.mark.parametrize("by_epoch", [True, False])
@pytest.mark.parametrize("pairs", SCHEDULES[2:])
def test_a_training_is_that_of_the_groups(tmp_path, pairs, by_epoch):
    runner = run(tmp_path, pairs, by_epoch=by_epoch)
    unit = 10 if by_epoch else 1
    weights, steps = by_hand(pairs, runner.iter, unit)
    assert runner.optim_wrapper.optimizer_steps == steps
    torch.testing.assert_close(runner.model.net.state_dict(), weights, rtol=0, atol=0)


@pytest.mark.parametrize("cut_at", [1, 6, 12, 13, 16, 26])
def test_a_run_that_is_cut_off_anywhere_ends_like_one_that_is_not(tmp_path, cut_at):
    pairs = [(0, 4), (1, 2), (2, 7)]
    whole = run(tmp_path / "whole", pairs)
    run(tmp_path / "parts", pairs, cut_at)
    resumed = run(tmp_path / "parts", pairs, resume=True)
    assert resumed.optim_wrapper.optimizer_steps == whole.optim_wrapper.optimizer_steps
    left, right = (load_file(tmp_path / part / "iter_30.pth") for part in ("whole", "parts"))
    for part in ("state_dict", "optimizer"):
        torch.testing.assert_close(left[part], right[part], rtol=0, atol=0)


def test_with_mixed_precision(tmp_path):
    wrapper = {"type": "AmpOptimWrapper", "optimizer": {"type": "SGD", "lr": 0.05}}
    runner = run(tmp_path, None, optim_wrapper={**wrapper, "accumulative_counts": [(0, 1), (1, 5)]})
    assert isinstance(runner.optim_wrapper, AmpOptimWrapper)
    assert runner.optim_wrapper.optimizer_steps == 10 + 4


def test_the_opening_says_it(tmp_path, capfd):
    run(tmp_path, [(0, 1), (1, 2), (2, 7)])
    said = " ".join(capfd.readouterr().out.split())
    assert "steps every batch, every 2 from epoch 1 on, every 7 from epoch 2 on" in said


CONFIG = """
model = dict(type="Supervised", net=dict(type="torch.nn.Linear", in_features=3, out_features=1),
    loss=dict(type="torch.nn.MSELoss"))
train_dataloader = dict(type="DataLoader", batch_size=2,
    dataset=dict(type="InMemoryDataset", fields=dict(inputs=INPUTS, targets=INPUTS)))
train_cfg = dict(max_epochs=4)
optim_wrapper = dict(
    optimizer=dict(type="SGD", lr=0.1), accumulative_counts=[(0, 1), (1, 2), (3, 4)]
)
"""


def test_plot_shows_it(tmp_path, capfd):
    rows = "from torch import ones\n" + CONFIG.replace("INPUTS", "ones(8, 3)")
    (tmp_path / "config.py").write_text(rows)
    capfd.readouterr()
    assert main(["plot", str(tmp_path / "config.py"), "--format", "json"]) == 0
    found = json.loads(capfd.readouterr().out)
    by_iteration = dict(zip(found["iterations"], found["values"]["accumulative_counts"]))
    assert by_iteration == dict(enumerate([1] * 4 + [2] * 8 + [4] * 4))


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (0, "give a whole number of at least 1, or pairs"),
        ([], "or pairs"),
        ([(0, 1), (4, 0)], "pairs of where"),
        ([0, 1], "pairs of where"),
        ([(1, 2)], "begin at 0"),
        ([(0, 2), (4, 3), (4, 1)], "each pair begin later"),
    ],
)
def test_mistakes(counts, said):
    with pytest.raises(ConfigError) as error:
        OptimWrapper(torch.optim.SGD(network().parameters(), lr=0.1), counts)
    assert said in error.value.help


def test_epochs_of_a_stream_are_refused(tmp_path):
    class Stream(IterableDataset):
        def __iter__(self):
            yield from zip(INPUTS, TARGETS)

    with pytest.raises(ConfigError, match="does not know how long one is"):
        run(tmp_path, [(0, 1), (1, 2)], train_dataloader=DataLoader(Stream(), batch_size=2))
