"""A run whose weights are no numbers stops, and none of them is saved."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.checkpoint import verify_file
from mainspring.dataset import DataLoader
from mainspring.hooks import DivergenceError, DivergenceHook
from mainspring.model import BaseModel
from mainspring.runner import Runner


class Diverging(BaseModel):
    """Its loss is what the test wants at an iteration."""

    def __init__(self, losses):
        super().__init__()
        self.first = nn.Linear(1, 2)
        self.second = nn.Linear(2, 1)
        self.register_buffer("mask", torch.tensor([0.0, -float("inf")]))
        self.losses = losses
        self.seen = 0

    def forward(self, x, mode="tensor"):
        self.seen += 1
        factor = self.losses.get(self.seen, 1.0)
        return {"loss": (self.second(self.first(x)) ** 2).mean() * factor}


def run(tmp_path, losses, epochs=4, **changes):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(40, 1))
    return Runner(
        model=Diverging(losses),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": epochs},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}},
        **changes,
    )


def test_it_stops_within_an_interval_and_names_iteration_and_parameter(tmp_path):
    runner = run(tmp_path, {13: float("nan")})
    with pytest.raises(DivergenceError) as error:
        runner.train()
    assert runner.iter == 19
    assert "2 of 2 values of first.weight" in str(error.value)
    assert "the loss was none first after iteration 13" in str(error.value)
    assert (tmp_path / "diverged_batch_rank0.pt").is_file()
    assert verify_file(tmp_path / "epoch_1.pth").is_valid
    assert not (tmp_path / "epoch_2.pth").exists()


def test_no_checkpoint_is_written_before_the_next_look(tmp_path):
    runner = run(
        tmp_path,
        {9: float("inf")},
        default_hooks={"divergence": {"type": "DivergenceHook", "interval": 1000}},
    )
    with pytest.raises(DivergenceError, match="first.weight"):
        runner.train()
    assert not list(tmp_path.glob("*.pth"))


def test_a_good_checkpoint_is_continued(tmp_path):
    with pytest.raises(DivergenceError):
        run(tmp_path, {13: float("nan")}).train()
    resumed = run(tmp_path, {}, resume=True)
    resumed.train()
    assert resumed.iter == 40


def test_a_single_loss_that_is_no_number_may_pass_while_the_weights_are(tmp_path):
    hook = DivergenceHook(interval=1)
    runner = run(tmp_path, {}, custom_hooks=[], epochs=1)
    outputs = {"loss": torch.tensor(float("inf"))}
    runner.train_loop
    hook.after_train_iter(runner, 0, outputs=outputs)
    hook.after_train_iter(runner, 1, outputs={"loss": torch.tensor(1.0)})
    hook.after_train_iter(runner, 2, outputs=outputs)
    with pytest.raises(DivergenceError, match="the loss is no number"):
        hook.after_train_iter(runner, 3, outputs=outputs)


def test_warning_only(tmp_path, capsys):
    hooks = {"divergence": {"type": "DivergenceHook", "policy": "warn"}}
    run(tmp_path, {13: float("nan")}, default_hooks=hooks).train()
    out = capsys.readouterr().out
    assert out.count("training diverged: the weights are no numbers any more") == 1


def test_without_the_hook(tmp_path):
    run(tmp_path, {13: float("nan")}, default_hooks={"divergence": None}).train()
    assert (tmp_path / "epoch_4.pth").is_file()


def test_it_looks_at_the_loss_at_its_interval_only(tmp_path):
    class Counting:
        reads = 0

        def __float__(self):
            Counting.reads += 1
            return 1.0

    hook = DivergenceHook(interval=10)

    class Run:
        iter = 0

    for iteration in range(100):
        Run.iter = iteration
        hook.after_train_iter(Run, 0, outputs={"loss": Counting()})
    assert Counting.reads == 10
