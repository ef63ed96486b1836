"""A run whose weights are no numbers stops, and none of them is saved."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.checkpoint import load_file, verify_file
from mainspring.dataset import DataLoader
from mainspring.hooks import DivergenceError, DivergenceHook, Hook
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


def policy(name, **settings):
    return {"divergence": {"type": "DivergenceHook", "policy": name, **settings}}


def test_a_step_whose_gradients_are_no_numbers_is_left_out(tmp_path, capfd):
    """The weights are those of a run that never saw the batch."""
    runner = run(tmp_path / "a", {13: float("nan"), 14: float("inf")}, default_hooks=policy("skip"))
    states = []

    class Keep(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            states.append(runner.model.first.weight.detach().clone())

    runner.register_hook(Keep())
    runner.train()
    assert torch.equal(states[11], states[12])
    assert torch.equal(states[11], states[13])
    assert not torch.equal(states[11], states[14])
    assert all(torch.isfinite(state).all() for state in states)
    assert "gradients of micro-batch 13 are no numbers" in capfd.readouterr().out
    assert runner.optim_wrapper.optimizer_steps == 40


def test_rolling_back_leaves_out_the_batches_since_the_checkpoint(tmp_path, capfd):
    runner = run(tmp_path, {13: float("nan")}, default_hooks=policy("rollback"))
    saved = []

    class Keep(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 in (10, 20):
                saved.append({k: v.clone() for k, v in runner.model.state_dict().items()})

    runner.register_hook(Keep())
    runner.train()
    assert runner.iter == 40
    torch.testing.assert_close(saved[1], saved[0], rtol=0, atol=0)
    assert "epoch_1.pth again" in capfd.readouterr().out
    assert verify_file(tmp_path / "epoch_4.pth").is_valid
    assert all(p.isfinite().all() for p in runner.model.parameters())


def test_rolling_back_keeps_the_learning_rate_of_now(tmp_path):
    schedule = {"type": "LinearLR", "start_factor": 0.1, "end": 40, "by_epoch": False}
    changes = {"param_scheduler": schedule, "default_hooks": policy("rollback")}
    rolled, plain = (
        run(tmp_path / "a", {13: float("nan")}, **changes),
        run(tmp_path / "b", {}, **changes),
    )
    rolled.train(), plain.train()
    rates = [r.message_hub.get_scalar("train/lr").data[0].tolist() for r in (rolled, plain)]
    assert rates[0] == rates[1]


def test_rolling_back_has_an_end(tmp_path):
    losses = dict.fromkeys(range(13, 100), float("nan"))
    runner = run(tmp_path, losses, epochs=8, default_hooks=policy("rollback", max_rollbacks=2))
    with pytest.raises(DivergenceError):
        runner.train()
    assert runner.iter == 39


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(tmp_path):
    runner = run(tmp_path, {3: float("nan")}, default_hooks=policy("rollback"))
    with pytest.raises(DivergenceError):
        runner.train()


def test_weights_that_break_in_the_step_before_a_checkpoint_are_not_saved(tmp_path):
    """The loss of that iteration is a number; only its gradients are none."""

    class Break(Hook):
        priority = "HIGHEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter + 1 == 20:
                with torch.no_grad():
                    runner.model.first.weight.fill_(float("nan"))

    runner = run(tmp_path, {}, custom_hooks=[Break()], default_hooks=policy("rollback"))
    runner.train()
    assert runner.iter == 40
    for name in ("epoch_2.pth", "epoch_4.pth"):
        weights = load_file(tmp_path / name)["state_dict"]
        assert all(weights[key].isfinite().all() for key in weights if key != "mask")


def test_a_policy_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'rollback'"):
        DivergenceHook(policy="rolback")
