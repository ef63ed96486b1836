"""Two real processes train together as the command line starts them."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import torch

import mainspring
from prepared_processes import run, run_ranks

PROGRAMS = Path(__file__).parent / "programs"
SOURCE = Path(mainspring.__file__).parents[1]


@pytest.fixture
def environment():
    path = f"{PROGRAMS}{os.pathsep}{SOURCE}"
    return {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}


def words_of(work_dir, *changes):
    config = str(PROGRAMS / "base_config.py")
    words = ["-m", "mainspring", "train", config, "--launcher", "pytorch"]
    return [*words, "--work-dir", str(work_dir), *changes]


@pytest.mark.slow
def test_two_processes_train_save_and_resume(tmp_path, environment):
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    words = [sys.executable, *launcher, *words_of(tmp_path, "train_cfg.max_epochs=1")]
    result = run(words, capture_output=True, text=True, env=environment, timeout=150)
    assert result.returncode == 0, result.stderr[-3000:]
    # 24 items, 2 ranks, batches of 6: two iterations, each told once by one of the ranks.
    assert len(re.findall(r"^ +1/1 ", result.stdout, re.MULTILINE)) == 2
    checkpoint = torch.load(tmp_path / "epoch_1.pth", weights_only=True)
    assert checkpoint["meta"]["iter"] == 2
    assert len(checkpoint["mainspring"]["random_states"]) == 2
    assert not any(name.startswith("module.") for name in checkpoint["state_dict"])
    for resumed in run_ranks(2, words_of(tmp_path, "--resume"), env=environment):
        assert resumed.returncode == 0, resumed.stdout[-3000:]
    assert torch.load(tmp_path / "epoch_2.pth", weights_only=True)["meta"]["iter"] == 4
