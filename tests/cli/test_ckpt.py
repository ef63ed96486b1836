"""`mainspring ckpt`: what is in the files, and whether they are whole."""

from __future__ import annotations

import pytest
import torch

from mainspring.checkpoint import save_checkpoint
from mainspring.cli.main import main

STATE = {
    "meta": {"epoch": 2, "iter": 40, "cfg": "a = 1\n"},
    "state_dict": {"w": torch.zeros(3, 4), "b": torch.zeros(4)},
    "optimizer": {"state": {0: {"step": torch.tensor(1.0)}}, "param_groups": [{"lr": 0.1}]},
    "message_hub": {"log_scalars": {}},
}


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    save_checkpoint(STATE, tmp_path / "epoch_2.pth")
    (tmp_path / "epoch_3.pth").write_bytes((tmp_path / "epoch_2.pth").read_bytes()[:500])
    (tmp_path / "last_checkpoint").write_text("epoch_3.pth")
    return tmp_path


def test_listing(run, capsys):
    assert main(["ckpt", "ls", "."]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["file", "MB", "epoch", "iteration", "state"]
    assert lines[1].split() == ["epoch_2.pth", "0.0", "2", "40", "whole"]
    assert "damaged: its end is missing" in lines[2]
    assert lines[-1] == "resume=True takes epoch_2.pth"


def test_describing(run, capsys):
    assert main(["ckpt", "info", "epoch_2.pth"]) == 0
    out = capsys.readouterr().out
    assert "its digest is right" in out
    assert "  meta.iter: 40\n  meta.cfg: ...\n" in out
    assert "  state_dict: 2 tensors, 16 values\n" in out
    assert "  message_hub: log_scalars\n" in out


def test_verifying(run, capsys):
    assert main(["ckpt", "verify", "epoch_2.pth"]) == 0
    assert capsys.readouterr().out.startswith("ok       epoch_2.pth: its digest is right  sha256 ")
    with pytest.raises(SystemExit) as end:
        main(["ckpt", "verify", "epoch_2.pth", "epoch_3.pth", "none.pth"])
    assert end.value.code == 1
    assert capsys.readouterr().out.count("DAMAGED") == 2


def test_mistakes(run, capsys):
    assert main(["ckpt", "ls", "nowhere"]) == 2
    assert "there is no directory 'nowhere'" in capsys.readouterr().err
    assert main(["ckpt", "info", "none.pth"]) == 2
    assert main(["ckpt", "info", "epoch_3.pth"]) == 1
    (run / "empty").mkdir()
    assert main(["ckpt", "ls", "empty"]) == 0
    assert "no checkpoints" in capsys.readouterr().out
