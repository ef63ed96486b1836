"""Training without computing, to see the curves of a config's schedules."""

from __future__ import annotations

from typing import Any
from unittest import mock

import torch
from torch import nn

from mainspring.config import Config
from mainspring.hooks import RuntimeInfoHook
from mainspring.model import BaseModel
from mainspring.optim import OptimWrapper
from mainspring.runner import Runner

_LEFT_OUT = ("model", "visualizer", "val_", "test_")


class ToyModel(BaseModel):
    """A model that computes nothing."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.conv = nn.Conv2d(1, 1, 1)

    def forward(self, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """A loss of nothing."""
        return {}

    def train_step(self, *args: Any, **kwargs: Any) -> dict[str, torch.Tensor]:
        """No step."""
        return {}


def update_params_step(self: OptimWrapper, loss: torch.Tensor) -> None:
    """Takes the place of a step of the optimizer."""


def runtimeinfo_step(self: Any, runner: Any, batch_idx: int, data_batch: Any = None) -> None:  # noqa: ARG001 - as at the point
    """Takes the place of `RuntimeInfoHook.before_train_iter`: record rates and momenta."""
    runner.message_hub.update_info("iter", runner.iter)
    for name, get in (("lr", "get_lr"), ("momentum", "get_momentum")):
        for key, values in getattr(runner.optim_wrapper, get)().items():
            runner.message_hub.update_scalar(f"train/{key.replace('base_', '') or name}", values[0])


def fake_run(cfg: Config) -> None:
    """Run through a config's training with a model that computes nothing.

    Args:
        cfg: The config; the model, the visualizer, validation and test are left out. The curves are
            written for TensorBoard, into ``temp_dir``.
    """
    described = {key: value for key, value in cfg.items() if not key.startswith(_LEFT_OUT)}
    backends = [{"type": "TensorboardVisBackend", "save_dir": "temp_dir"}]
    described["visualizer"] = {"type": "Visualizer", "vis_backends": backends}
    with (
        mock.patch.object(OptimWrapper, "update_params", update_params_step),
        mock.patch.object(RuntimeInfoHook, "before_train_iter", runtimeinfo_step),
    ):
        Runner.from_cfg({**described, "model": ToyModel()}).train()
