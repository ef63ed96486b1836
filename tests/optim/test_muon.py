"""`Muon` steps matrices as torch's Muon does, and all other parameters as AdamW does."""

import copy
import pickle

import pytest
import torch
from torch import nn

from mainspring.dataset import DataLoader
from mainspring.errors import MissingPackageError
from mainspring.model import Supervised
from mainspring.optim import Muon, OptimWrapper
from mainspring.registry import OPTIMIZERS
from mainspring.runner import Runner


def network():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(8, 4), nn.BatchNorm1d(4))


def trained(model, optimizers, steps=4):
    images = torch.randn(6, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        for optimizer in optimizers:
            optimizer.zero_grad()
        model(images).square().sum().backward()
        for optimizer in optimizers:
            optimizer.step()
    return list(model.parameters())


def test_each_parameter_moves_as_with_torchs_own_optimizer():
    ours, plain = network(), network()
    matrices = [p for p in plain.parameters() if p.ndim == 2]
    others = [p for p in plain.parameters() if p.ndim != 2]
    expected = trained(
        plain,
        [
            torch.optim.Muon(matrices, lr=0.02, weight_decay=0.01),
            torch.optim.AdamW(others, lr=1e-3, weight_decay=0.01),
        ],
    )
    got = trained(ours, [Muon(ours.parameters(), lr=0.02, weight_decay=0.01, adamw={"lr": 1e-3})])
    assert all(map(torch.equal, got, expected))


def test_one_rate_suits_both_where_it_is_matched():
    optimizer = Muon(network().parameters(), lr=0.5, adjust_lr_fn="match_rms_adamw")
    assert {group["lr"] for group in optimizer.param_groups} == {0.5}


def test_the_rate_of_a_group_counts_in_proportion():
    model = network()
    groups = [{"params": [p], "lr": 0.01} for p in model.parameters()]
    optimizer = Muon(groups, lr=0.02, adamw={"lr": 1e-3})
    rates = {group["method"]: group["lr"] for group in optimizer.param_groups}
    assert rates == pytest.approx({"muon": 0.01, "adamw": 0.5e-3})


@pytest.mark.parametrize("again", [lambda o: pickle.loads(pickle.dumps(o)), copy.deepcopy])
def test_a_copy_steps(again):
    model = network()
    optimizer = Muon(model.parameters(), lr=0.02)
    whole, copied = again((model, optimizer))
    assert all(map(torch.equal, trained(whole, [copied]), trained(model, [optimizer])))


def test_a_loaded_state_goes_on_alike():
    model = network()
    optimizer = Muon(model.parameters(), lr=0.02)
    trained(model, [optimizer])
    other = copy.deepcopy(model)
    resumed = Muon(other.parameters(), lr=1.0)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    assert all(map(torch.equal, trained(model, [optimizer]), trained(other, [resumed])))


def test_a_run_resumes_alike(tmp_path):
    def run(name, epochs, **sections):
        data = [(torch.full((1, 4, 4), i / 6), torch.tensor(i % 4)) for i in range(6)]
        torch.manual_seed(0)
        runner = Runner(
            Supervised(network(), nn.CrossEntropyLoss()),
            str(tmp_path / name),
            DataLoader(data, batch_size=2, shuffle=True),
            train_cfg=dict(max_epochs=epochs),
            optim_wrapper=dict(optimizer=dict(type="Muon", lr=0.02)),
            param_scheduler=dict(type="LinearLR", start_factor=0.1, by_epoch=False, end=9),
            randomness=dict(seed=0),
            **sections,
        )
        return runner.train().state_dict()

    whole = run("whole", 3)
    run("half", 1)
    resumed = run("half", 3, resume=True)
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_configs_name_it_and_wrappers_take_it():
    model = network()
    made = OPTIMIZERS.build(dict(type="Muon", params=model.parameters(), lr=0.02))
    assert type(made) is Muon
    OptimWrapper(made).update_params(model(torch.ones(2, 1, 4, 4)).sum())


def test_a_torch_without_muon_is_said(monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(MissingPackageError, match="has no Muon") as error:
        Muon(network().parameters())
    assert error.value.help == "install torch 2.9 or newer"
