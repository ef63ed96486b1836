"""A run whose weights are no numbers stops, and none of them is saved."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from mainspring.checkpoint import load_file, verify_file
from mainspring.dataset import DataLoader
from mainspring.hooks import CheckpointHook, DivergenceError, DivergenceHook, Hook
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
    settings = {
        "model": Diverging(losses),
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01}},
        **changes,
    }
    return Runner(
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": epochs},
        **settings,
    )


def test_it_stops_within_an_interval_and_names_iteration_and_parameter(tmp_path):
    runner = run(tmp_path, {13: float("nan")})
    with pytest.raises(DivergenceError) as error:
        runner.train()
    assert runner.iter == 19
    assert "2 of 2 values of first.weight" in str(error.value)
    assert "the loss was no number for the first time after iteration 13" in str(error.value)
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
    with pytest.raises(DivergenceError, match="max_rollbacks=2 times it went back before"):
        runner.train()
    assert runner.iter == 39


def test_without_a_checkpoint_there_is_nothing_to_go_back_to(tmp_path):
    runner = run(tmp_path, {3: float("nan")}, default_hooks=policy("rollback"))
    with pytest.raises(DivergenceError, match="there is no checkpoint to go back to") as error:
        runner.train()
    assert "no checkpoint was written before" in error.value.help


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


def test_a_checkpoint_within_a_group_holds_no_gradients_of_before_the_rolling_back(tmp_path):
    """The weights break in the third iteration; the fourth begins a group, and is saved."""
    changes = {
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": 0.01}, "accumulative_counts": 3},
        "default_hooks": {
            **policy("rollback"),
            "checkpoint": {"type": "CheckpointHook", "interval": 2, "by_epoch": False},
        },
    }
    whole = run(tmp_path / "a", {3: float("nan")}, epochs=1, **changes)
    whole.train()
    (group,) = load_file(tmp_path / "a" / "iter_4.pth")["mainspring"]["accumulation"]
    assert all(gradient.isfinite().all() for gradient in group[""]["gradients"].values())

    path = str(tmp_path / "a" / "iter_4.pth")
    resumed = run(tmp_path / "b", {}, epochs=1, resume=path, **changes)
    resumed.train()
    weights = [[*runner.model.parameters()] for runner in (whole, resumed)]
    torch.testing.assert_close(*weights, rtol=0, atol=0)


def test_a_resumed_run_remembers_a_loss_that_was_no_number(tmp_path):
    """It was so in the last look before the checkpoint, and is so in the first one after it."""

    class NoNumber(Diverging):
        def forward(self, x, mode="tensor"):
            return {"loss": super().forward(x)["loss"] + self.mask[1].detach()}

    whole = run(tmp_path / "a", {}, model=NoNumber({}))
    with pytest.raises(DivergenceError):
        whole.train()
    path = str(tmp_path / "a" / "epoch_1.pth")
    resumed = run(tmp_path / "b", {}, model=NoNumber({}), resume=path)
    with pytest.raises(DivergenceError):
        resumed.train()
    assert resumed.iter == whole.iter == 19


def test_a_policy_that_is_none(tmp_path):
    with pytest.raises(ValueError, match="did you mean 'rollback'"):
        DivergenceHook(policy="rolback")


class Overflowing(BaseModel):
    """Its second layer gives infinity at an iteration, or only its gradient does."""

    def __init__(self, at, forward=True):
        super().__init__()
        self.first = nn.Linear(1, 2)
        self.second = nn.Linear(2, 2)
        self.third = nn.Linear(2, 1)
        self.at, self.in_forward = at, forward
        self.register_buffer("seen", torch.tensor(0))

    def forward(self, x, mode="tensor"):
        self.seen += 1
        factor = float("inf") if self.breaks(self.in_forward) else 1.0
        hidden = self.second(self.first(x) * factor)
        if self.breaks(not self.in_forward):
            hidden = torch.sqrt(hidden * 0)  # its derivative is infinite
        return {"loss": (self.third(hidden * hidden) ** 2).mean()}

    def breaks(self, here):
        return here and int(self.seen) == self.at


def overflowing(tmp_path, at, forward=True, **changes):
    torch.manual_seed(0)
    data = TensorDataset(torch.randn(40, 1))
    return Runner(
        model=Overflowing(at, forward),
        work_dir=str(tmp_path),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg={"max_epochs": 4},
        optim_wrapper={"optimizer": {"type": "SGD", "lr": 0.01}, "clip_grad": 1.0},
        randomness={"seed": 0},
        **changes,
    )


def test_a_resumed_run_that_traces_names_the_layer_and_keeps_the_batch(tmp_path):
    with pytest.raises(DivergenceError) as error:
        overflowing(tmp_path, 13).train()
    assert "after iteration 13" in str(error.value)
    assert "with trace=True for DivergenceHook stops where this began" in str(error.value)
    assert "the batch of iteration 20" in str(error.value)

    batches = []

    class Keep(Hook):
        priority = "HIGHEST"

        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            batches.append(data_batch)

    traced = overflowing(
        tmp_path,
        13,
        resume=True,
        custom_hooks=[Keep()],
        default_hooks=policy("raise", trace=True),
    )
    with pytest.raises(DivergenceError) as error:
        traced.train()
    assert traced.iter == 12
    assert "the output of second (Linear) was the first with" in str(error.value)
    assert "the batch of iteration 13" in str(error.value)
    kept = torch.load(tmp_path / "diverged_batch_rank0.pt")
    assert torch.equal(kept[0], batches[-1][0])


def test_a_gradient_that_is_no_number_while_the_loss_is(tmp_path):
    """The loss is none one iteration later; the norm of the gradients tells."""
    with pytest.raises(DivergenceError) as error:
        overflowing(tmp_path / "a", 13, forward=False).train()
    assert "grad_norm was no number for the first time after iteration 13" in str(error.value)
    with pytest.raises(DivergenceError) as error:
        overflowing(
            tmp_path / "b",
            13,
            forward=False,
            default_hooks=policy("raise", trace=True),
        ).train()
    assert re.search(r"the gradient of second\.\w+ was the first with", str(error.value))
    assert "the batch of iteration 13" in str(error.value)


def test_tracing_changes_nothing_and_ends_with_the_training(tmp_path):
    plain = overflowing(tmp_path / "a", 0).train()
    traced = overflowing(tmp_path / "b", 0, default_hooks=policy("raise", trace=True)).train()
    for name, value in plain.state_dict().items():
        assert torch.equal(value, traced.state_dict()[name])
    assert not any(module._forward_hooks for module in traced.modules())


class Huge(Hook):
    """Gives a parameter that is not trained a value whose square is no number any more."""

    @torch.no_grad()
    def before_train(self, runner):
        runner.model.unused = nn.Parameter(torch.tensor([3e38]), requires_grad=False)


def test_values_that_are_large_but_numbers_are_saved(tmp_path):
    run(tmp_path, {}, epochs=1, custom_hooks=[Huge()]).train()
    saved = load_file(tmp_path / "epoch_1.pth")["state_dict"]["unused"]
    assert saved.tolist() == torch.tensor([3e38]).tolist()


@pytest.mark.parametrize("described", [None, {"optimizer": {"type": "SGD", "lr": 0.1}}])
def test_leaving_steps_out_needs_no_training(make_runner, described) -> None:
    runner = make_runner()
    runner.optim_wrapper = described
    DivergenceHook(policy="skip").before_run(runner)
    assert runner.optim_wrapper == described


def test_a_checkpoint_that_was_refused_is_not_named(tmp_path, capsys):
    saving = CheckpointHook()
    runner = run(tmp_path, {1: float("nan")}, 1, default_hooks={"checkpoint": saving})
    with pytest.raises(DivergenceError):
        runner.train()
    assert saving.last_ckpt is None
    assert "epoch_1.pth" not in capsys.readouterr().out
