"""`CheckpointHook(save_frozen=False)`: checkpoints of what is trained, on top of what is not."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mainspring.checkpoint import load_checkpoint
from mainspring.errors import CheckpointError
from mainspring.model import Supervised
from mainspring.runner import Runner


class Adapted(nn.Module):
    """A large layer that stays as it is, with a small one beside it, as in LoRA."""

    def __init__(self, seed=0):
        super().__init__()
        self.base = nn.Linear(400, 400)
        generator = torch.Generator().manual_seed(seed)
        with torch.no_grad():
            self.base.weight.copy_(torch.randn(400, 400, generator=generator) / 20)
            self.base.bias.zero_()
        self.base.requires_grad_(False)
        self.norm = nn.BatchNorm1d(400)
        self.down, self.up = nn.Linear(400, 2, bias=False), nn.Linear(2, 400, bias=False)

    def forward(self, inputs):
        return self.norm(self.base(inputs) + self.up(self.down(inputs)))


def make_runner(work_dir, seed=0, epochs=5, hooks=(), **more):
    torch.manual_seed(7)
    generator = torch.Generator().manual_seed(1)
    data = TensorDataset(*torch.randn(2, 16, 400, generator=generator))
    return Runner(
        Supervised(Adapted(seed), nn.MSELoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
        default_hooks=dict(checkpoint=dict(type="CheckpointHook", interval=1, save_frozen=False)),
        custom_hooks=list(hooks),
        randomness=dict(seed=0),
        log_level="WARNING",
        **more,
    )


def test_five_checkpoints_are_hardly_larger_than_the_weights_once(tmp_path):
    runner = make_runner(tmp_path / "run")
    runner.train()
    once = tmp_path / "once.pth"
    torch.save(runner.model.state_dict(), once)
    written = [path.stat().st_size for path in (tmp_path / "run").glob("epoch_*.pth")]
    assert len(written) == 5
    assert sum(written) < 1.2 * once.stat().st_size
    saved = torch.load(tmp_path / "run" / "epoch_5.pth", weights_only=True)["state_dict"]
    assert {name.removeprefix("net.").partition(".")[0] for name in saved} == {"down", "up", "norm"}


@pytest.mark.parametrize("hooks", [[], [dict(type="EMAHook")]], ids=["plain", "average"])
def test_a_run_goes_on_as_if_it_had_not_stopped(tmp_path, hooks):
    whole = make_runner(tmp_path / "whole", hooks=hooks)
    whole.train()
    make_runner(tmp_path / "parts", epochs=2, hooks=hooks).train()
    resumed = make_runner(tmp_path / "parts", hooks=hooks, resume=True)
    resumed.train()
    assert resumed.iter == 20
    for (name, one), other in zip(
        whole.model.state_dict().items(), resumed.model.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name


def test_what_was_frozen_stays_frozen_and_is_not_stepped(tmp_path):
    make_runner(tmp_path, epochs=1).train()
    resumed = make_runner(tmp_path, epochs=2, resume=True)
    resumed.train()
    base = resumed.model.net.base
    assert torch.equal(base.weight, Adapted().base.weight)
    assert not base.weight.requires_grad


def test_a_model_with_other_weights_below_is_refused(tmp_path):
    make_runner(tmp_path / "run", epochs=1).train()
    file = tmp_path / "run" / "epoch_1.pth"
    with pytest.raises(CheckpointError, match=r"1 of the 2 frozen ones.*net\.base\.weight"):
        load_checkpoint(Supervised(Adapted(seed=1), nn.MSELoss()), str(file))
    with pytest.raises(CheckpointError, match="trained weights only"):
        make_runner(tmp_path / "run", seed=1, resume=True).train()


def test_the_weights_are_loaded_strictly_into_the_same_model(tmp_path):
    runner = make_runner(tmp_path, epochs=1)
    runner.train()
    model = Supervised(Adapted(), nn.MSELoss())
    load_checkpoint(model, str(tmp_path / "epoch_1.pth"), strict=True)
    assert torch.equal(model.net.up.weight, runner.model.net.up.weight)


def test_a_weight_that_is_frozen_later_is_left_out_from_then_on(tmp_path):
    runner = make_runner(tmp_path, epochs=1)
    runner.train()
    runner.model.net.down.weight.requires_grad_(False)
    runner.save_checkpoint(str(tmp_path), "later.pth")
    saved = torch.load(tmp_path / "later.pth", weights_only=True)
    assert "net.down.weight" not in saved["state_dict"]
    # It has been trained: no other model has it.
    with pytest.raises(CheckpointError, match="frozen ones"):
        load_checkpoint(Supervised(Adapted(), nn.MSELoss()), str(tmp_path / "later.pth"))
