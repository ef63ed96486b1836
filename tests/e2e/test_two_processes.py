"""Two real processes train together as the command line starts them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import mainspring

PROGRAMS = Path(__file__).parent / "programs"
SOURCE = Path(mainspring.__file__).parents[1]


def run(processes, work_dir, *changes):
    words = [
        *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)),
        *("-m", "mainspring", "train", str(PROGRAMS / "base_config.py")),
        *("--launcher", "pytorch", "--work-dir", str(work_dir), *changes),
    ]
    environment = {
        **os.environ,
        "PYTHONPATH": f"{PROGRAMS}{os.pathsep}{SOURCE}",
        "OMP_NUM_THREADS": "1",
    }
    result = subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, env=environment, timeout=150
    )
    assert result.returncode == 0, result.stderr[-3000:]
    return result


@pytest.mark.slow
def test_two_processes_train_save_and_resume(tmp_path):
    result = run(2, tmp_path, "train_cfg.max_epochs=1")
    # 24 items, 2 ranks, batches of 6: two iterations, each told once by one of the ranks.
    assert len(re.findall(r"^ +1/1 ", result.stdout, re.MULTILINE)) == 2
    checkpoint = torch.load(tmp_path / "epoch_1.pth", weights_only=True)
    assert checkpoint["meta"]["iter"] == 2
    assert len(checkpoint["mainspring"]["random_states"]) == 2
    assert not any(name.startswith("module.") for name in checkpoint["state_dict"])
    run(2, tmp_path, "--resume")
    assert torch.load(tmp_path / "epoch_2.pth", weights_only=True)["meta"]["iter"] == 4
