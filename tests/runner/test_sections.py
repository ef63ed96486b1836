"""What a run's description must hold, and what is said when it does not."""

from __future__ import annotations

import pytest
from torch import nn

from mainspring.config import Config
from mainspring.errors import ConfigError
from mainspring.evaluator import Accuracy
from mainspring.hooks import EMAHook
from mainspring.optim import ConstantLR
from mainspring.runner import Runner
from mainspring.runner.building.build_optimization import build_optimizer_wrapper
from mainspring.runner.building.sections import (
    check_triples,
    counts_epochs,
    misspelt_sections,
    require,
)


def test_a_missing_section_is_named_with_what_to_add():
    with pytest.raises(ConfigError, match="no 'model'") as caught:
        require({"work_dir": "x"}, "model")
    assert "model = dict(" in caught.value.help


def test_a_misspelt_section_is_recognised():
    with pytest.raises(ConfigError, match="no 'model'") as caught:
        require({"modle": {}, "work_dir": "x"}, "model")
    assert "'modle' looks like a misspelling" in caught.value.help


def test_a_list_of_a_config_may_hold_classes(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cfg = Config.fromstring(
        """
from torch import nn
from torch.optim import SGD
from torch.utils.data import TensorDataset
import torch

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.hooks import EMAHook
from mainspring.model import Supervised
from mainspring.optim import ConstantLR, OptimWrapper

model = Supervised(nn.Linear(2, 2), nn.CrossEntropyLoss())
data = TensorDataset(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))
train_dataloader = DataLoader(data, batch_size=2)
val_dataloader = DataLoader(data, batch_size=2)
train_cfg = dict(max_epochs=1)
optim_wrapper = OptimWrapper(later(SGD)(lr=0.1))
param_scheduler = [ConstantLR]
custom_hooks = [EMAHook]
val_evaluator = [Accuracy]
""",
        ".py",
    )
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert isinstance(runner.param_schedulers[0], ConstantLR)
    assert any(isinstance(hook, EMAHook) for hook in runner.hooks)
    assert isinstance(runner.val_evaluator.metrics[0], Accuracy)


def test_helper_variables_are_no_misspellings():
    assert misspelt_sections(["data_root", "epochs", "img_scale", "model", "crop_size"]) == {}


@pytest.mark.parametrize(
    "given",
    [
        {"train_cfg": {}},
        {"val_dataloader": {}, "val_cfg": {}},
        {"test_evaluator": {}},
    ],
)
def test_half_a_triple_is_refused(given):
    with pytest.raises(ConfigError, match="come together"):
        check_triples(given)


def test_half_a_triple_names_the_misspelt_third():
    given = {"train_cfg": {}, "optim_wrapper": {}}
    with pytest.raises(ConfigError) as caught:
        check_triples(given, [*given, "train_dataloder"])
    assert "'train_dataloder' looks like 'train_dataloader'" in caught.value.help


def test_validation_of_losses_alone_needs_no_evaluator():
    check_triples({"val_dataloader": {}, "val_cfg": {"compute_loss": True}})
    with pytest.raises(ConfigError):
        check_triples({"val_dataloader": {}, "val_cfg": {}})


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({"by_epoch": True, "max_epochs": 1}, True),
        ({"by_epoch": False, "max_iters": 1}, False),
        ({"max_epochs": 3}, True),
        ({"max_iters": 3}, False),
        ({}, None),
        (None, None),
    ],
)
def test_what_training_counts_is_said_once(section, expected):
    assert counts_epochs(section) is expected


def test_a_variable_that_looks_like_a_section_is_named_in_the_log(tmp_path, capsys):
    cfg = {"model": nn.Linear(1, 1), "custom_hook": [], "width": 3, "work_dir": str(tmp_path)}
    Runner.from_cfg(cfg)
    assert "custom_hook is no section, so it has no effect on the run" in (capsys.readouterr().out)


@pytest.mark.parametrize(
    "section",
    [
        "dict(optimizer=later(SGD)({lr}), {rest})",
        "dict(type='OptimWrapper', optimizer=later(SGD)({lr}), {rest})",
        "dict(optimizer=later(SGD)({lr}), constructor='DefaultOptimWrapperConstructor', {rest})",
    ],
)
@pytest.mark.parametrize("lr", ["lr=0.1", "0.1"])
def test_an_optimizer_of_a_dict_may_be_a_call(section, lr):
    text = section.format(lr=lr, rest="paramwise_cfg=dict(bias_lr_mult=2.0)")
    head = "from torch.optim import SGD\nfrom mainspring.config import later\n"
    cfg = Config.fromstring(f"{head}optim_wrapper = {text}", ".py")
    model = nn.Sequential(nn.Linear(2, 2))
    wrapper = build_optimizer_wrapper(model, cfg.optim_wrapper)
    weight, bias = (
        next(group["lr"] for group in wrapper.param_groups if group["params"][0] is parameter)
        for parameter in model.parameters()
    )
    assert (weight, bias) == (0.1, 0.2)
