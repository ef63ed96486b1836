"""Adapters of `peft`: held against `peft` itself, and trained, saved, resumed and exported."""

from __future__ import annotations

import copy
import sys

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.checkpoint import load_file
from mainspring.cli.main import main
from mainspring.config import Config
from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError, MissingPackageError
from mainspring.hooks import CheckpointHook
from mainspring.model import BaseModule, Supervised, merged_adapters, with_adapters
from mainspring.registry import MODELS
from mainspring.runner import Runner

INPUTS = torch.randn(16, 4, generator=torch.Generator().manual_seed(3))
DATA = TensorDataset(INPUTS, (INPUTS[:, 0] > 0).long())


def network():
    torch.manual_seed(4)
    return nn.Sequential(
        nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)
    )


def lora(**settings):
    peft = pytest.importorskip("peft")
    return peft.LoraConfig(**{"r": 2, "target_modules": ["0", "2"], **settings})


def run(work_dir, epochs, model, **settings):
    return Runner(
        model=Supervised(model, nn.CrossEntropyLoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(DATA, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "Adam", "lr": 0.05}},
        randomness={"seed": 0},
        default_hooks={"checkpoint": CheckpointHook(interval=1, save_frozen=False)},
        **settings,
    )


def adapted(**settings):
    net = network()
    torch.manual_seed(5)
    return with_adapters(net, lora(**settings))


def test_only_adapters_and_what_is_to_be_saved_are_trained(tmp_path) -> None:
    before = network().state_dict()
    model = adapted(modules_to_save=["4"])
    run(tmp_path, 2, model).train()
    after = model.state_dict()
    changed = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert changed == {f"{n}.lora_{k}.default.weight" for n in "02" for k in "AB"} | {
        f"4.modules_to_save.default.{kind}" for kind in ("weight", "bias")
    }
    for number, below in ((0, "base_layer"), (2, "base_layer"), (4, "original_module")):
        assert torch.equal(before[f"{number}.weight"], after[f"{number}.{below}.weight"])
    saved = load_file(tmp_path / "epoch_2.pth")["state_dict"]
    assert set(saved) == {f"net.{name}" for name in changed}


def test_it_trains_as_with_peft_alone(tmp_path) -> None:
    config = lora()
    model = adapted()
    torch.manual_seed(5)
    import peft

    reference = peft.get_peft_model(network(), config)
    reference.load_state_dict({f"base_model.model.{k}": v for k, v in model.state_dict().items()})
    optimizer = torch.optim.Adam(reference.parameters(), lr=0.05, fused=True)
    runner = run(tmp_path, 2, model)
    runner.train_loop
    for epoch in range(2):
        runner.train_dataloader.sampler.set_epoch(epoch)
        for inputs, targets in DataLoader(
            DATA, batch_sampler=runner.train_dataloader.batch_sampler
        ):
            nn.functional.cross_entropy(reference(inputs), targets).backward()
            optimizer.step()
            optimizer.zero_grad()
    runner.train()
    for name, weight in model.state_dict().items():
        other = reference.state_dict()[f"base_model.model.{name}"]
        torch.testing.assert_close(weight, other, rtol=0, atol=0)
    merged = merged_adapters(copy.deepcopy(model).eval())
    expected = reference.merge_and_unload()
    torch.testing.assert_close(merged.state_dict(), expected.state_dict(), rtol=0, atol=0)
    torch.testing.assert_close(merged(INPUTS), model.eval()(INPUTS))
    assert merged_adapters(merged) is merged


def test_a_resumed_run_ends_like_one_that_was_not_interrupted(tmp_path) -> None:
    settings = {"modules_to_save": ["4"]}
    run(tmp_path / "whole", 4, adapted(**settings)).train()
    run(tmp_path / "parts", 2, adapted(**settings)).train()
    run(tmp_path / "parts", 4, adapted(**settings), resume=True).train()
    whole, parts = (load_file(tmp_path / part / "epoch_4.pth") for part in ("whole", "parts"))
    torch.testing.assert_close(whole["state_dict"], parts["state_dict"], rtol=0, atol=0)
    torch.testing.assert_close(whole["optimizer"], parts["optimizer"], rtol=0, atol=0)


@pytest.mark.parametrize("modules", [["0", "2"], ["0", "2", "4"]])
def test_weights_of_the_model_without_adapters_fit_below_them(tmp_path, modules, capfd) -> None:
    before = network()
    with torch.no_grad():
        for parameter in before.parameters():
            parameter.normal_()
    torch.save({f"net.{k}": v for k, v in before.state_dict().items()}, tmp_path / "base.pth")
    model = adapted(target_modules=modules)
    kept = model[0].lora_A["default"].weight.detach().clone()
    runner = run(tmp_path, 1, model)
    runner.load_checkpoint(tmp_path / "base.pth", strict=True)
    torch.testing.assert_close(model(INPUTS), before(INPUTS))
    assert torch.equal(model[0].lora_A["default"].weight, kept)
    other = adapted(target_modules=["0"], modules_to_save=["4"])
    other.load_state_dict(before.state_dict())
    torch.testing.assert_close(other(INPUTS), before(INPUTS))


def test_initial_weights_are_made_before_the_adapters(tmp_path) -> None:
    class Own(BaseModule):
        def __init__(self):
            super().__init__({"type": "Constant", "layer": "Linear", "val": 3})
            self.fc = nn.Linear(4, 2)

        def forward(self, inputs):
            return self.fc(inputs)

    model = with_adapters(Own(), lora(target_modules=["fc"]))
    runner = run(tmp_path, 1, model)
    runner.train()
    assert torch.equal(model.fc.base_layer.weight, torch.full((2, 4), 3.0))
    assert not torch.equal(model.fc.lora_A["default"].weight, torch.full((2, 4), 3.0))


@pytest.mark.parametrize("setting", ["target_modules", "modules_to_save"])
def test_a_name_that_is_no_part_is_refused_though_another_is(setting) -> None:
    net = nn.ModuleDict({"query": nn.Linear(2, 2), "value": nn.Linear(2, 2)})
    with pytest.raises(ConfigError, match=f"(?s){setting} has 'valeu'.*did you mean 'value'"):
        with_adapters(net, lora(**{"target_modules": ["query"], setting: ["query", "valeu"]}))


def test_without_the_package_it_says_what_to_install(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(MissingPackageError, match="pip install mainspring.peft."):
        with_adapters(network(), None)


CONFIG = """
from adapted_nets import Net, Points
from peft import LoraConfig
from torch import nn
from torch.optim import Adam

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.model import Supervised, with_adapters
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

model = Supervised(
    with_adapters(Net(), LoraConfig(r=2, target_modules=["first"])), nn.CrossEntropyLoss()
)
train_dataloader = DataLoader(Points(), batch_size=4)
test_dataloader = DataLoader(Points(), batch_size=4)
test_cfg = dict()
test_evaluator = Accuracy()
train_cfg = ByEpoch(max_epochs=1)
optim_wrapper = OptimWrapper(later(Adam)(lr=0.1))
"""
NETS = """
import torch
from torch import nn
from torch.utils.data import TensorDataset

class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(4, 8), nn.Linear(8, 2)
    def forward(self, inputs):
        return self.last(self.first(inputs).relu())

class Points(TensorDataset):
    def __init__(self):
        super().__init__(torch.arange(32.0).view(8, 4) / 32, torch.arange(8) % 2)
"""


def test_in_a_config_and_exported_merged(tmp_path, monkeypatch, capfd) -> None:
    pytest.importorskip("peft")
    (tmp_path / "config.py").write_text(CONFIG)
    (tmp_path / "adapted_nets.py").write_text(NETS)
    monkeypatch.chdir(tmp_path)
    for words in (
        "check config.py",
        "train config.py work_dir=run --no-report",
        "export config.py run/epoch_1.pth --to safetensors --out net.safetensors",
    ):
        assert main(words.split()) == 0, capfd.readouterr()
    assert "24 parameters trained, 58 frozen" in " ".join(capfd.readouterr().out.split())
    exported = load_file(tmp_path / "net.safetensors")
    weights = exported.get("state_dict", exported)
    assert set(weights) == {"first.weight", "first.bias", "last.weight", "last.bias"}
    trained = load_file(tmp_path / "run" / "epoch_1.pth")["state_dict"]
    delta = trained["net.first.lora_B.default.weight"] @ trained["net.first.lora_A.default.weight"]
    scale = 8 / 2  # LoraConfig's lora_alpha over r
    expected = trained["net.first.base_layer.weight"] + scale * delta
    torch.testing.assert_close(weights["first.weight"], expected)


def test_in_a_dict() -> None:
    pytest.importorskip("peft")
    described = Config(
        dict(
            type="with_adapters",
            model=dict(type=network),
            config=dict(type="peft.LoraConfig", r=2, target_modules=["0"]),
        )
    )
    assert hasattr(MODELS.build(described)[0], "lora_A")
