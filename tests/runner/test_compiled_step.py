"""A training step in one graph trains as the step without compiling does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn

from mainspring.model import BaseModel, Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import Runner

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(autouse=True)
def compiles_anew():
    yield
    torch._dynamo.reset()


class Net(nn.Sequential):
    def __init__(self, dropout=0.0, norm=False):
        layers = [nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 1)]
        if norm:
            layers.insert(1, nn.BatchNorm1d(8))
        super().__init__(*layers)


def make(work_dir, compiled, *, net=None, iterations=8, **changes):
    torch.manual_seed(0)
    batches = [(torch.randn(6, 4), torch.randn(6, 1)) for _ in range(5)]
    settings = {
        "model": Supervised(net() if net else Net(), nn.MSELoss()),
        "work_dir": str(work_dir),
        "train_dataloader": batches,
        "train_cfg": {"max_iters": iterations},
        "optim_wrapper": {"optimizer": {"type": "AdamW", "lr": 0.01}},
        "param_scheduler": {"type": "LinearLR", "start_factor": 0.1, "end": 6, "by_epoch": False},
        "default_hooks": {"logger": {"type": "LoggerHook", "interval": 1}},
        "log_processor": {"type": "LogProcessor", "window_size": 1},
        "randomness": {"seed": 1},
        "cfg": {"compile": {"target": "step", "backend": "aot_eager"} if compiled else False},
    }
    return Runner(**{**settings, **changes})


def losses(runner):
    lines = (Path(runner.log_dir) / "vis_data" / "scalars.json").read_text().splitlines()
    return [json.loads(line)["loss"] for line in lines]


def assert_trains_alike(tmp_path, **changes):
    eager = make(tmp_path / "a", False, **changes)
    eager.train()
    compiled = make(tmp_path / "b", True, **changes)
    compiled.train()
    assert type(compiled.model.train_step).__name__ == "CompiledStep"
    assert compiled.model.train_step._compiled is not None
    assert losses(compiled) == pytest.approx(losses(eager), rel=1e-4, abs=1e-6)
    torch.testing.assert_close(
        compiled.model.state_dict(), eager.model.state_dict(), rtol=1e-4, atol=1e-5
    )
    ours, theirs = compiled.optim_wrapper, eager.optim_wrapper
    assert (ours.inner_count, ours.optimizer_steps) == (theirs.inner_count, theirs.optimizer_steps)
    torch.testing.assert_close(
        ours.state_dict()["state"], theirs.state_dict()["state"], rtol=1e-3, atol=1e-5
    )
    return eager, compiled


def optimizer(kind, **settings):
    return {"optim_wrapper": {"optimizer": {"type": kind, "lr": 0.02, **settings}}}


@pytest.mark.parametrize(
    "changes",
    [
        optimizer("AdamW", weight_decay=0.1),
        optimizer("Adam", weight_decay=0.1, betas=(0.8, 0.9)),
        optimizer("SGD"),
        optimizer("SGD", momentum=0.9, weight_decay=0.01),
        optimizer("SGD", momentum=0.9, nesterov=True),
        optimizer("RMSprop"),
        optimizer("AdamW", amsgrad=True),
    ],
    ids=["adamw", "adam", "sgd", "momentum", "nesterov", "rmsprop", "amsgrad"],
)
def test_every_optimizer(tmp_path, changes):
    assert_trains_alike(tmp_path, **changes)


def test_batch_norm(tmp_path):
    assert_trains_alike(tmp_path, net=lambda: Net(norm=True), **optimizer("SGD"))


def test_clipping_and_its_norm(tmp_path):
    wrapper = {"optimizer": {"type": "SGD", "lr": 0.1}, "clip_grad": {"max_norm": 0.1}}
    eager, compiled = assert_trains_alike(tmp_path, optim_wrapper=wrapper)
    norms = [r.message_hub.get_scalar("train/grad_norm").data[0] for r in (eager, compiled)]
    assert norms[1] == pytest.approx(norms[0], rel=1e-4)
    assert len(norms[0]) == 8


def test_clipping_by_value(tmp_path):
    clip = {"type": "value", "clip_value": 0.01}
    wrapper = {"optimizer": {"type": "SGD", "lr": 0.1}, "clip_grad": clip}
    assert_trains_alike(tmp_path, optim_wrapper=wrapper)


def test_accumulation_whose_last_group_is_short(tmp_path):
    wrapper = {"optimizer": {"type": "AdamW", "lr": 0.01}, "accumulative_counts": 3}
    assert_trains_alike(tmp_path, optim_wrapper=wrapper)


def test_mixed_precision(tmp_path):
    wrapper = {
        "type": "AmpOptimWrapper", "dtype": "bfloat16", "optimizer": {"type": "SGD", "lr": 0.01}
    }  # fmt: skip
    eager, compiled = (
        make(tmp_path / "a", False, optim_wrapper=wrapper),
        make(tmp_path / "b", True, optim_wrapper=wrapper),
    )
    eager.train(), compiled.train()
    assert compiled.model.train_step._compiled is not None
    assert losses(compiled) == pytest.approx(losses(eager), rel=0.02)


def test_averaged_weights(tmp_path):
    hooks = {"custom_hooks": [{"type": "EMAHook", "momentum": 0.1}]}
    eager, compiled = assert_trains_alike(tmp_path, **hooks)
    averages = [runner.hooks for runner in (eager, compiled)]
    states = [
        next(h for h in hooks if type(h).__name__ == "EMAHook").ema_model.state_dict()
        for hooks in averages
    ]
    torch.testing.assert_close(states[1], states[0], rtol=1e-4, atol=1e-5)


def test_a_momentum_that_is_scheduled_leaves_the_optimizer_outside(tmp_path):
    schedule = [{"type": "LinearMomentum", "start_factor": 0.5, "end": 6, "by_epoch": False}]
    changes = optimizer("SGD", momentum=0.9)
    _, compiled = assert_trains_alike(tmp_path, param_scheduler=schedule, **changes)
    assert compiled.model.train_step._update is None


def test_a_resumed_run_ends_like_one_that_is_not(tmp_path):
    hooks = {"checkpoint": {"type": "CheckpointHook", "interval": 3, "by_epoch": False}}
    whole = make(tmp_path / "whole", True, default_hooks=hooks, net=lambda: Net(0.5, norm=True))
    whole.train()
    torch._dynamo.reset()
    resumed = make(
        tmp_path / "rest",
        True,
        default_hooks=hooks,
        net=lambda: Net(0.5, norm=True),
        resume=str(tmp_path / "whole" / "iter_3.pth"),
    )
    resumed.train()
    torch.testing.assert_close(resumed.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)


def test_a_checkpoint_of_a_compiled_run_is_that_of_any_run(tmp_path):
    make(tmp_path / "compiled", True).train()
    eager = make(
        tmp_path / "eager", False, iterations=12, resume=str(tmp_path / "compiled" / "iter_8.pth")
    )
    eager.train()
    assert eager.iter == 12


class Breaks(BaseModel):
    """Looks at a value, which no graph can do."""

    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 1)

    def forward(self, inputs, targets, mode="tensor"):
        loss = (self.net(inputs) - targets).square().mean()
        if loss.item() > 1e9:
            raise RuntimeError
        return {"loss": loss}


def test_what_breaks_the_graph_is_named_once_and_training_goes_on(tmp_path, capfd):
    plain = make(tmp_path / "a", False, model=Breaks())
    plain.train()
    torch.manual_seed(0)
    broken = make(tmp_path / "b", True, model=Breaks())
    broken.model.load_state_dict(make(tmp_path / "c", False, model=Breaks()).model.state_dict())
    capfd.readouterr()
    broken.train()
    said = capfd.readouterr().out
    assert said.count("is not compiled as a whole") == 1
    assert "test_compiled_step.py" in said
    assert broken.iter == 8


class OwnWrapper(OptimWrapper):
    """Updates as it likes to."""


def test_what_cannot_be_one_graph_is_said(tmp_path, capfd):
    net = Net()
    wrapper = OwnWrapper(torch.optim.SGD(net.parameters(), lr=0.1))
    runner = make(
        tmp_path, True, model=Supervised(net, nn.MSELoss()), optim_wrapper=wrapper,
        param_scheduler=None, iterations=2,
    )  # fmt: skip
    runner.train()
    assert "OwnWrapper updates in a way of its own" in capfd.readouterr().out
    assert "train_step" not in vars(runner.model)


class TestRegions:
    @pytest.mark.parametrize("target", ["forward", "loss", ["net.0", "net.3"], "net.0"])
    def test_parts_of_the_model(self, tmp_path, target):
        eager = make(tmp_path / "a", False)
        eager.train()
        if target == "net.0":
            target = ["net.0"]
        compiled = make(
            tmp_path / "b", False, cfg={"compile": {"target": target, "backend": "aot_eager"}}
        )
        compiled.train()
        assert losses(compiled) == pytest.approx(losses(eager), rel=1e-4)

    @pytest.mark.parametrize("target", ["foward", ["net.7"]])
    def test_a_name_that_is_not_there(self, tmp_path, target):
        runner = make(tmp_path, False, cfg={"compile": target})
        with pytest.raises(ValueError, match="to compile") as error:
            runner.train()
        assert "did you mean" in str(error.value)


@pytest.mark.slow
def test_with_the_real_compiler(tmp_path):
    eager, compiled = (
        make(tmp_path / "a", False),
        make(tmp_path / "b", True, cfg={"compile": "step"}),
    )
    eager.train(), compiled.train()
    assert compiled.model.train_step._compiled is not None
    assert losses(compiled) == pytest.approx(losses(eager), rel=1e-4)
