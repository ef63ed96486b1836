"""Whole runs on a GPU: what holds on a CPU holds there, for the device's own generators too."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.hooks import EMAHook
from mainspring.model import Supervised
from mainspring.runner import Runner

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")


class Noisy(Dataset[tuple[Tensor, int]]):
    """Images that are drawn anew each time, so that a wrong generator shows."""

    def __len__(self) -> int:
        return 48

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.rand(3, 8, 8) + index % 3, index % 3


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(),
        nn.Dropout(0.3), nn.Linear(288, 3),
    )  # fmt: skip


def run(work_dir: Path, iterations: int = 14, **sections: Any) -> Runner:
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    sections = {
        "optim_wrapper": dict(optimizer=dict(type="AdamW", lr=1e-2), accumulative_counts=2),
        "custom_hooks": [EMAHook()],
        "num_workers": 0,
        **sections,
    }
    loader = DataLoader(
        Noisy(), batch_size=8, shuffle=True, num_workers=sections.pop("num_workers")
    )
    torch.manual_seed(3)
    return Runner(
        Supervised(network(), nn.CrossEntropyLoss()),
        work_dir=str(work_dir),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=False, max_iters=iterations, val_interval=5),
        val_dataloader=DataLoader(Noisy(), batch_size=16),
        val_evaluator=Accuracy(),
        param_scheduler=dict(type="CosineAnnealingLR", T_max=14, by_epoch=False),
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, by_epoch=False)),
        randomness=dict(seed=7, deterministic=True),
        log_level="ERROR",
        **sections,
    )


def weights(runner: Runner) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in runner.model.state_dict().items()}


AMP = dict(type="AmpOptimWrapper", optimizer=dict(type="AdamW", lr=1e-2))


@pytest.mark.parametrize(
    "sections",
    [
        pytest.param({}, id="accumulation"),
        pytest.param(dict(num_workers=2), id="workers"),
        pytest.param(dict(optim_wrapper={**AMP, "dtype": "float16"}), id="float16"),
        pytest.param(dict(optim_wrapper={**AMP, "dtype": "bfloat16"}), id="bfloat16"),
        pytest.param(
            dict(optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9))), id="sgd"
        ),
    ],
)
def test_a_resumed_run_ends_with_the_same_bits(tmp_path: Path, sections: dict[str, Any]) -> None:
    whole = run(tmp_path / "whole", **sections)
    whole.train()
    assert next(whole.model.parameters()).is_cuda
    checkpoint = str(tmp_path / "whole" / "iter_7.pth")
    resumed = run(tmp_path / "resumed", resume=checkpoint, **sections)
    resumed.train()
    expected, found = weights(whole), weights(resumed)
    assert {name for name in expected if not torch.equal(expected[name], found[name])} == set()


def test_a_step_in_one_graph_trains_as_without(tmp_path: Path) -> None:
    # Adam would blow up the rounding of gradients that are zero, as those of biases before a norm.
    sgd = dict(optimizer=dict(type="SGD", lr=0.01, momentum=0.9))
    plain = dict(optim_wrapper=sgd, custom_hooks=[])
    trained = {}
    for target in (None, "step"):
        runner = run(tmp_path / str(target), **plain, cfg=dict(compile=target) if target else {})
        for module in runner.model.modules():
            if isinstance(module, nn.Dropout):
                module.p = 0.0
        runner.train()
        trained[target] = weights(runner)
    for name, value in trained[None].items():
        torch.testing.assert_close(trained["step"][name], value, rtol=1e-3, atol=1e-4)
