"""A run that is given no seed draws one; started again it goes on with that of its checkpoint."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent))

from matrix_base import base, by_iteration, of_section, ours, torchs, validated
from matrix_parts import ForValidation

from mainspring.dataset import DataLoader
from mainspring.runner import Runner

WORKERS = {"num_workers": 2}
MAKE = {
    "torch_loader": lambda: base(train_dataloader=torchs(**WORKERS)),
    "torch_loader_by_iteration": lambda: by_iteration(train_dataloader=torchs(**WORKERS)),
    "one_stream_a_worker": lambda: base(
        train_dataloader={**of_section(**WORKERS), "sample_rng": "worker"}
    ),
    "validation": lambda: validated(
        train_dataloader=ours(),
        val_dataloader=DataLoader(ForValidation(draws=True), batch_size=8, shuffle=True),
    ),
    "validation_of_section": lambda: validated(
        train_dataloader=of_section(),
        val_dataloader={**of_section(), "dataset": ForValidation(draws=True), "batch_size": 8},
    ),
}


def run(name, work_dir, **changes):
    arguments = MAKE[name]()
    del arguments["randomness"]
    runner = Runner(**arguments, work_dir=str(work_dir), **changes)
    runner.train()
    if not runner.train_loop.by_epoch:
        # Left to the garbage collector, each of its workers would take 5 s to end.
        runner.train_loop._batches = None
    return runner


def scalars(runner):
    return {
        name: history.data[0].tolist()
        for name, history in runner.message_hub.log_scalars.items()
        if not name.endswith(("time", "memory"))
    }


@pytest.mark.parametrize("name", MAKE)
def test_the_run_ends_like_one_that_is_not_interrupted(name, tmp_path):
    whole = run(name, tmp_path / "whole")
    resumed = run(name, tmp_path / "cut", resume=str(tmp_path / "whole" / "iter_12.pth"))
    assert resumed.seed == whole.seed
    weights = [runner.model.state_dict() for runner in (whole, resumed)]
    assert all(torch.equal(weights[0][key], weights[1][key]) for key in weights[0])
    assert scalars(resumed) == scalars(whole)


@pytest.mark.parametrize("seed", [None, 5])
def test_only_a_seed_that_somebody_wrote_is_missed(seed, tmp_path, capsys):
    run("torch_loader", tmp_path)
    wishes = {} if seed is None else {"randomness": {"seed": seed}}
    run("torch_loader", tmp_path, resume=True, **wishes)
    assert ("it replaces this run's seed" in capsys.readouterr().out) == (seed is not None)
