"""What a person reads of a training on standard output, and what is noted of it for later."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.hooks import Hook
from mainspring.logging.run_record import read_record, record_files, state_of
from mainspring.model import Supervised
from mainspring.runner import Runner
from mainspring.runner.console.ending import Invocation


class Failing(Hook):
    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.error is not None and runner.iter == 2:
            raise self.error


def runner(work_dir, error=None, **options):
    data = torch.utils.data.TensorDataset(torch.randn(8, 4), torch.arange(8) % 2)
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    net[0].requires_grad_(False)
    made = Runner(
        model=Supervised(net, nn.CrossEntropyLoss()),
        work_dir=str(work_dir),
        train_dataloader=torch.utils.data.DataLoader(data, batch_size=4),
        train_cfg=dict(max_epochs=3),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        param_scheduler=dict(type="LinearLR", start_factor=1.0, end_factor=0.01),
        val_dataloader=torch.utils.data.DataLoader(data, batch_size=8),
        val_cfg=dict(compute_loss=True),
        custom_hooks=[Failing(error)],
        randomness=dict(seed=1),
        **{"experiment_name": None, **options},
    )
    made.invocation = Invocation("config.py", ["epochs=3"], ["--device", "cpu"])
    return made


def record_of(work_dir):
    return read_record(record_files(work_dir)[-1])


def test_a_training_is_told_in_few_lines_that_fit(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    runner(tmp_path / "out").train()
    out = capsys.readouterr().out
    lines = out.splitlines()
    assert len(lines) < 25
    assert all(len(line) <= 80 for line in lines if not line.startswith("  try it"))
    assert "\x1b" not in out
    for told in (
        "Sequential, 8 parameters trained, 15 frozen",
        "train      8 items of TensorDataset in 2 batches of 4",
        "val        8 items of TensorDataset in 1 batch of 8, each epoch",
        "length     3 epochs, 6 iterations",
        "SGD, lr 0.1",
        "output     out",
        "  3/3     6",
        "finished in 0:0",
        "after epoch 3 of 3, iteration 6 of 6",
        "out/epoch_3.pth",
        "try it    mainspring val config.py out/epoch_3.pth epochs=3",
    ):
        assert told in out
    assert "System environment" not in out
    log = next(tmp_path.glob("out/*/*.log")).read_text()
    for kept in ("System environment", "Hooks will be executed", "Saving checkpoint", "val_loss"):
        assert kept in log
    record = record_of(tmp_path / "out")
    assert state_of(record) == "finished"
    assert (record["iter"], record["epoch"], record["max_iters"]) == (6, 3, 6)
    assert record["best"]["metric"] == "val_loss"


@pytest.mark.parametrize(
    ("error", "state", "reason"),
    [
        (ValueError("no such thing\nand more"), "crashed", "ValueError: no such thing"),
        (KeyboardInterrupt(), "stopped", "by SIGINT (Ctrl-C)"),
    ],
)
def test_a_training_that_ends_early_says_why_and_how_to_go_on(
    tmp_path, capsys, error, state, reason
):
    with pytest.raises(type(error)):
        runner(tmp_path, error).train()
    out = capsys.readouterr().out
    assert f"\n{state} in 0:0" in out
    assert f"  reason    {reason}\n" in out
    assert "mainspring train config.py epochs=3 --device cpu --resume\n" in out
    assert record_of(tmp_path)["reason"] == reason
    assert state_of(record_of(tmp_path)) == state


def test_a_resumed_training_says_where_it_goes_on_and_knows_the_best_of_before(tmp_path, capsys):
    with pytest.raises(ValueError, match="stop"):
        runner(tmp_path, ValueError("stop")).train()
    best = record_of(tmp_path)["best"]
    capsys.readouterr()
    resumed = runner(tmp_path, resume=True)
    resumed.invocation = None
    resumed.train()
    out = capsys.readouterr().out
    assert "start      from epoch_1.pth, at iteration 2" in out
    assert "config.py" not in out
    assert len(record_files(tmp_path)) == 2
    now = record_of(tmp_path)["best"]
    assert now["score"] <= best["score"]
    assert (now["iter"] > 2) == (now["score"] < best["score"])


def test_a_process_that_is_gone_has_crashed(tmp_path):
    runner(tmp_path).train()
    file = record_files(tmp_path)[-1]
    record = {**read_record(file), "state": "running"}
    assert state_of(record) == "running"
    assert state_of({**record, "pid": 2**22 + 1}) == "crashed"
    assert state_of({**record, "host": "elsewhere"}) == "running"
    Path(file).write_text(json.dumps(record)[:20])
    assert read_record(file) == {}
    assert state_of({}) == "unknown"


def test_lines_without_the_level_info_are_asked_for_by_the_level(tmp_path, capsys):
    runner(tmp_path, log_level="WARNING").train()
    assert capsys.readouterr().out == ""
