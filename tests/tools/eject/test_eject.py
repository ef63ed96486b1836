"""A script of plain PyTorch trains as the engine does, bit for bit."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
import torch

from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.tools.eject import compare
from mainspring.tools.eject.drive import first_iterations
from mainspring.tools.eject.eject import eject
from prepared_processes import run

ROOT = Path(__file__).parents[3]
PROGRAMS = ROOT / "tests" / "e2e" / "programs"
HEAD = """
from ejected_parts import Net, OwnLoss, Points, Unknown
from torch import nn
from torch.optim import SGD, Adam, AdamW
from mainspring.config import later
from mainspring.dataset import DataLoader, InfiniteSampler
from mainspring.evaluator import Accuracy
from mainspring.hooks import EMAHook
from mainspring.model import Supervised
from mainspring.optim import *
from mainspring.runner import ByEpoch, ByIteration
""".replace(
    "from mainspring.optim import *",
    "from mainspring.optim import AmpOptimWrapper, ConstantLR, CosineAnnealingLR, LinearLR, "
    "MultiStepLR, OptimWrapper, PolyLR, StepLR",
)
BASE = {
    "model": "Supervised(Net(width=16), nn.CrossEntropyLoss())",
    "train_dataloader": 'DataLoader(Points(50, noise=["torch"]), batch_size=8, shuffle=True)',
    "train_cfg": "ByEpoch(max_epochs=3)",
    "optim_wrapper": "OptimWrapper(later(AdamW)(lr=0.01))",
    "randomness": "dict(seed=7)",
}
VALIDATION = {
    "val_dataloader": "DataLoader(Points(20), batch_size=8)",
    "val_evaluator": "Accuracy()",
}
TRAININGS = {
    "plain": {},
    "validation": {**VALIDATION, "train_cfg": "ByEpoch(max_epochs=3, val_interval=2)"},
    "numpy, python and workers": {
        "train_dataloader": 'DataLoader(Points(30, noise=["torch", "numpy", "python"]), '
        "batch_size=8, shuffle=True, num_workers=2, drop_last=True)"
    },
    "schedules": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1, momentum=0.9, weight_decay=1e-4))",
        "param_scheduler": "[later(LinearLR)(start_factor=0.1, end=5, by_epoch=False), "
        "later(MultiStepLR)(milestones=[1, 2], gamma=0.5), later(StepLR)(step_size=1), "
        "later(ConstantLR)(factor=0.5, end=2), later(PolyLR)(begin=1, end=3, eta_min=1e-4)]",
    },
    "accumulation and clipping": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1), accumulative_counts=4, "
        "clip_grad=dict(max_norm=0.5))"
    },
    "an endless order": {
        **VALIDATION,
        "train_dataloader": 'DataLoader(Points(50, noise=["torch"]), batch_size=8, '
        "sampler=later(InfiniteSampler)(shuffle=True))",
        "train_cfg": "ByIteration(max_iters=20, val_interval=8)",
        "param_scheduler": "later(CosineAnnealingLR)(T_max=20, by_epoch=False)",
        "custom_hooks": "[EMAHook(momentum=0.1)]",
    },
    "iterations over epochs": {"train_cfg": "ByIteration(max_iters=20, val_interval=8)"},
    "mixed precision": {"optim_wrapper": "AmpOptimWrapper(later(Adam)(lr=0.01), dtype='bfloat16')"},
    "groups": {
        "optim_wrapper": "OptimWrapper(later(SGD)(lr=0.1, weight_decay=0.1), "
        "paramwise_cfg=dict(bias_decay_mult=0, custom_keys={'head': dict(lr_mult=2)}))"
    },
    "a model that returns its loss": {
        "model": "OwnLoss()",
        "train_dataloader": "DataLoader(Points(50, as_dict=True), batch_size=8, shuffle=True)",
    },
}


@pytest.fixture
def ejected(tmp_path, monkeypatch):
    """A config's run and script; `partial` and what differs from the base are given."""
    monkeypatch.syspath_prepend(Path(__file__).parent)
    monkeypatch.chdir(tmp_path)

    def make(changes, *, partial=False):
        sections = {**BASE, **changes}
        text = HEAD + "".join(f"{name} = {value}\n" for name, value in sections.items())
        (tmp_path / "config.py").write_text(text)
        cfg = Config.fromfile(str(tmp_path / "config.py"))
        script = tmp_path / "train.py"
        parts, text = eject(cfg, "config.py", script, str(tmp_path / "run"), partial=partial)
        script.write_text(text)
        return parts, script

    return make


@pytest.mark.parametrize("changes", TRAININGS.values(), ids=TRAININGS)
def test_losses_and_weights_are_equal(changes, ejected):
    parts, script = ejected(changes)
    text = script.read_text()
    assert text.count("\n") <= 200
    assert "mainspring" not in text.split('"""', 2)[2]
    assert max(map(len, text.splitlines())) <= 130
    found = compare(parts, script, 1000, first_iterations)
    assert found.is_equal, str(found)
    assert found.losses >= 9


def test_the_script_trains_alone_and_leaves_weights(ejected, tmp_path):
    _, script = ejected(TRAININGS["validation"])
    code = f"import runpy, sys; sys.path.append({str(Path(__file__).parent)!r}); "
    code += (
        f"runpy.run_path({str(script)!r}, run_name='__main__'); assert 'mainspring' not in vars()"
    )
    done = run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "epoch 2  accuracy " in done.stdout
    assert "epoch 1  " not in done.stdout
    assert "layers.0.weight" in torch.load(tmp_path / "weights.pt")


def test_what_cannot_be_ejected_is_named_with_its_place(ejected):
    changes = {"custom_hooks": "[EMAHook(), Unknown()]", "compile": "True"}
    with pytest.raises(ConfigError) as refused:
        ejected(changes)
    message = str(refused.value)
    assert "custom_hooks.1: the hook Unknown" in message
    assert "config.py:" in message
    assert "compile: compiled steps" in message
    assert "--partial" in message
    _, script = ejected(changes, partial=True)
    assert "Left out, so that losses may differ:\n- compile: compiled steps" in script.read_text()


def test_an_optimizer_that_averages_the_weights_is_named(ejected):
    pytest.importorskip("schedulefree")
    changes = {"optim_wrapper": "dict(optimizer=dict(type='AdamWScheduleFree', lr=0.1))"}
    with pytest.raises(ConfigError, match=r"optim_wrapper: an optimizer that averages the weights"):
        ejected(changes)


def test_a_metric_of_a_user_is_named(ejected):
    changes = {**VALIDATION, "val_evaluator": "Accuracy(topk=(1, 2))"}
    with pytest.raises(ConfigError, match=r"val_evaluator.0: the metric Accuracy"):
        ejected(changes)


def test_a_difference_is_found(ejected):
    parts, script = ejected({})
    script.write_text(script.read_text().replace("lr=0.01", "lr=0.02"))
    found = compare(parts, script, 5, first_iterations)
    assert (found.equal_losses, found.first_difference) == (1, 2)
    assert str(found).startswith("1 of 5 losses and ")


@pytest.mark.parametrize(
    "config", [ROOT / "examples" / "digits" / "config.py", PROGRAMS / "base_config.py"]
)
def test_the_command_proves_the_configs_of_the_repository(config, tmp_path):
    # In a process of its own, since other tests let registries forget what such modules register.
    words = ["eject", str(config), "--out", str(tmp_path / "train.py"), "--verify", "8"]
    ended = run(
        [sys.executable, "-m", "mainspring", *words, "--partial"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(config.parent)},
    )
    assert ended.returncode == 0, ended.stderr
    assert "are equal in every bit" in ended.stdout
    assert "crashed" not in ended.stdout + ended.stderr
