"""MMEngine itself loads what we write; needs MAINSPRING_MMENGINE=PYTHON_WITH_MMENGINE."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.cli.main import main
from mainspring.model import BaseModel
from mainspring.runner import Runner

INTERPRETER = os.environ.get("MAINSPRING_MMENGINE")
SCRIPT = Path(__file__).with_name("mmengine_loads_ours.py")


class Net(BaseModel):
    def __init__(self):
        super().__init__()
        self.body = nn.Linear(4, 3)
        self.norm = nn.BatchNorm1d(3)
        self.head = nn.Linear(3, 1)

    def forward(self, inputs, targets=None, mode="tensor"):
        outputs = self.head(self.norm(self.body(inputs)))
        return dict(loss=((outputs - targets) ** 2).mean()) if mode == "loss" else outputs


@pytest.mark.skipif(INTERPRETER is None, reason="MAINSPRING_MMENGINE names no interpreter")
def test_mmengine_loads_checkpoints_and_what_the_command_makes_of_them(tmp_path, monkeypatch):
    points = torch.randn(16, 4, generator=torch.Generator().manual_seed(0))
    items = [dict(inputs=point, targets=point.sum(0, keepdim=True)) for point in points]
    model = Net()
    Runner(
        model=model,
        work_dir=str(tmp_path / "work"),
        train_dataloader=dict(
            dataset=items,
            batch_size=4,
            sampler=dict(type="DefaultSampler"),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=2),
        optim_wrapper=dict(optimizer=dict(type="AdamW", lr=0.01)),
        randomness=dict(seed=0),
    ).train()
    monkeypatch.chdir(tmp_path)
    last = "work/epoch_2.pth"
    files = Path("files")
    files.mkdir()
    (files / "whole.pth").write_bytes(Path(last).read_bytes())
    assert main(["ckpt", "strip", last, "-o", "files/stripped.pth"]) == 0
    assert main(["ckpt", "average", last, last, "-o", "files/averaged.pth"]) == 0
    assert main(["ckpt", "export", last, "-o", "files/plain.pth"]) == 0
    assert main(["ckpt", "export", last, "-o", "a.safetensors"]) == 0
    assert main(["ckpt", "export", "a.safetensors", "-o", "files/there_and_back.pth"]) == 0

    model.eval()
    with torch.no_grad():
        witness = {"weights": model.state_dict(), "inputs": points, "outputs": model(points)}
    for path in list(files.glob("*.pth")):
        torch.save(witness, path.with_suffix(".witness"))
    done = subprocess.run(
        [str(INTERPRETER), str(SCRIPT), str(files)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    assert done.stdout.count("9 of 9 weights equal, outputs equal: True") == 5
    print(done.stdout)
