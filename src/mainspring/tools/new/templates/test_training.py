"""The training runs, learns, and goes on from a checkpoint: pytest."""

from __future__ import annotations

import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent


def test_training(tmp_path: Path) -> None:
    """One epoch changes the weights, and all losses are numbers."""
    sys.path.insert(0, str(HERE))
    from mainspring.config import Config
    from mainspring.runner import Runner

    cfg = Config.fromfile(str(HERE / "config.py"), overrides=["epochs=1"])
    cfg.work_dir = str(tmp_path)
    runner = Runner.from_cfg(cfg)
    before = [parameter.detach().clone() for parameter in runner.model.parameters()]
    runner.train()
    assert any(
        not torch.equal(old, new)
        for old, new in zip(before, runner.model.parameters(), strict=True)
    )
    for name, history in runner.message_hub.log_scalars.items():
        if "loss" in name:
            assert all(value == value for value in history.data[0]), name  # noqa: PLR0124
    assert (tmp_path / "epoch_1.pth").is_file()
