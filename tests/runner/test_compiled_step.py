"""A training step in one graph trains as the step without compiling does."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

from mainspring.errors import ConfigError
from mainspring.hooks import Hook
from mainspring.model import BaseModel, Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import Runner
from mainspring.structures import NormalizedLoss

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


def test_a_resumed_run_ends_like_one_that_is_not(tmp_path, capfd):
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
    assert "not in the checkpoints" not in capfd.readouterr().out


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


class OwnStep(Supervised):
    """Trains on a multiple of its loss, in a step of its own."""

    def train_step(self, data, optim_wrapper):
        data = self.data_preprocessor(data, True)
        loss = 7 * self._run_forward(data, mode="loss")["loss"]
        optim_wrapper.update_params(loss)
        return {"loss": loss.detach()}


def test_a_training_step_of_the_model_s_own_is_kept(tmp_path, capfd):
    def trained(name, compiled):
        torch.manual_seed(3)
        runner = make(tmp_path / name, compiled, model=OwnStep(Net(), nn.MSELoss()))
        runner.train()
        return losses(runner)

    assert trained("b", True) == trained("a", False)
    assert "OwnStep has a train_step of its own" in capfd.readouterr().out


class Counts(Breaks):
    """Counts its calls in Python, so that each needs another graph."""

    calls = 0

    def forward(self, inputs, targets, mode="tensor"):
        self.calls += 1
        return {"loss": self.calls * (self.net(inputs) - targets).square().mean()}


def test_what_would_be_compiled_again_and_again_is_given_up_with_one_warning(tmp_path, capfd):
    def trained(name, compiled):
        torch.manual_seed(3)
        runner = make(tmp_path / name, compiled, model=Counts())
        runner.train()
        return losses(runner)

    with torch._dynamo.config.patch(recompile_limit=3):
        assert trained("b", True) == pytest.approx(trained("a", False), rel=1e-4)
    said = capfd.readouterr().out
    assert said.count("is not compiled as a whole: it was compiled 3 times") == 1


class Counted(Breaks):
    """Says what its loss was divided by."""

    def forward(self, inputs, targets, mode="tensor"):
        loss = (self.net(inputs) - targets).square().mean()
        return {"loss": NormalizedLoss(loss, torch.tensor(len(inputs)))}


def test_losses_that_are_weighed_among_micro_batches_are_not_compiled(tmp_path, capfd):
    def trained(name, compiled, counts):
        torch.manual_seed(3)
        wrapper = {"optimizer": {"type": "SGD", "lr": 0.1}, "accumulative_counts": counts}
        runner = make(tmp_path / name, compiled, model=Counted(), optim_wrapper=wrapper)
        runner.train()
        return losses(runner)

    assert trained("b", True, 2) == trained("a", False, 2)
    said = "not compiled as a whole: its losses declare what they were divided by. It runs"
    assert said in capfd.readouterr().out
    assert trained("d", True, 1) == pytest.approx(trained("c", False, 1), rel=1e-4)
    assert said not in capfd.readouterr().out


class BreaksInALibrary(Breaks):
    def forward(self, inputs, targets, mode="tensor"):
        length = len(json.dumps([inputs.shape[0]]))
        return {"loss": (self.net(inputs) - targets).square().mean() * length}


def test_a_break_inside_a_library_names_the_line_of_the_user(tmp_path, capfd):
    make(tmp_path, True, model=BreaksInALibrary(), iterations=1).train()
    (warning,) = [line for line in capfd.readouterr().out.splitlines() if "as a whole" in line]
    line = BreaksInALibrary.forward.__code__.co_firstlineno + 1
    assert f'(File "{__file__}", line {line}, in forward)' in warning
    assert "Dynamo does not know how to trace" in warning


def test_each_run_of_a_process_is_compiled(tmp_path):
    with torch._dynamo.config.patch(recompile_limit=2):
        runners = [
            make(tmp_path / str(n), True, iterations=1, **optimizer("SGD")) for n in range(3)
        ]
        for runner in runners:
            runner.train()
    assert all(runner.model.train_step._compiled is not None for runner in runners)


class At(Hook):
    """Does something before an iteration."""

    def __init__(self, iteration, action):
        self.iteration, self.action = iteration, action

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter == self.iteration:
            self.action(runner)


def freeze(runner):
    runner.model.net[0].requires_grad_(False)


def unfreeze(runner):
    runner.model.net[0].requires_grad_(True)


def load_states(runner):
    optimizer = runner.optim_wrapper.optimizer
    state = copy.deepcopy(optimizer.state_dict())
    for of_parameter in state["state"].values():
        of_parameter["momentum_buffer"].fill_(0.5)
    optimizer.load_state_dict(state)


def move_to_a_group_of_its_own(runner):
    optimizer = runner.optim_wrapper.optimizer
    last = optimizer.param_groups[0]["params"].pop()
    optimizer.add_param_group({"params": [last], "lr": 0.5})


def forget_a_state(runner):
    optimizer = runner.optim_wrapper.optimizer
    del optimizer.state[optimizer.param_groups[0]["params"][1]]


def replace_a_state(runner):
    optimizer = runner.optim_wrapper.optimizer
    parameter = optimizer.param_groups[0]["params"][1]
    optimizer.state[parameter]["momentum_buffer"] = torch.ones_like(parameter)


def replace_a_parameter(runner):
    optimizer, layer = runner.optim_wrapper.optimizer, runner.model.net[0]
    layer.bias = nn.Parameter(torch.ones_like(layer.bias))
    optimizer.state.pop(optimizer.param_groups[0]["params"][1])
    optimizer.param_groups[0]["params"][1] = layer.bias


def leave_gradients(runner):
    for parameter in runner.model.parameters():
        parameter.grad = torch.ones_like(parameter)


def halve_gradients_from_now_on(runner):
    def halve(optimizer, *_):
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad.mul_(0.5)

    runner.optim_wrapper.optimizer.register_step_pre_hook(halve)


FOLLOWED = [
    freeze,
    unfreeze,
    load_states,
    move_to_a_group_of_its_own,
    forget_a_state,
    replace_a_state,
    replace_a_parameter,
    leave_gradients,
    halve_gradients_from_now_on,
]


class TestChangesInTheMiddle:
    """What a hook changes is followed, as without compiling."""

    @pytest.mark.parametrize("action", FOLLOWED)
    def test_it_is_followed(self, tmp_path, action):
        def net():
            net = Net()
            net[0].requires_grad_(action is not unfreeze)
            return net

        changes = optimizer("SGD", momentum=0.9)
        if action is move_to_a_group_of_its_own:
            changes["param_scheduler"] = None  # which would know the first group only
        assert_trains_alike(tmp_path, net=net, custom_hooks=[At(4, action)], **changes)

    def test_hooks_on_gradients_are_called(self, tmp_path, capfd):
        def stop_first_layer(runner):
            runner.model.net[0].weight.register_hook(torch.zeros_like)

        hooks = [At(0, stop_first_layer)]
        eager, compiled = (
            make(tmp_path / name, name == "b", custom_hooks=hooks, **optimizer("SGD"))
            for name in "ab"
        )
        eager.train(), compiled.train()
        assert losses(compiled) == pytest.approx(losses(eager), rel=1e-4)
        assert "a parameter has a hook on its gradient" in capfd.readouterr().out

    def test_hooks_of_the_optimizer_are_called(self, tmp_path):
        def halve_rate(optimizer, *_):
            optimizer.param_groups[0]["lr"] /= 2

        class Registers(Hook):
            def before_run(self, runner):
                runner.optim_wrapper.optimizer.register_step_pre_hook(halve_rate)

        assert_trains_alike(
            tmp_path, custom_hooks=[Registers()], param_scheduler=None, **optimizer("SGD")
        )


def test_a_schedule_of_the_learning_rate_compiles_nothing_anew(tmp_path):
    counters.clear()
    make(tmp_path, True).train()
    assert counters["stats"]["unique_graphs"] == 1


class TestRegions:
    @pytest.mark.parametrize(
        "target", ["forward", "loss", ["net.0", "net.3"], "net", "net.0"], ids=str
    )
    def test_parts_of_the_model(self, tmp_path, target):
        eager = make(tmp_path / "a", False)
        eager.train()
        compiled = make(
            tmp_path / "b", False, cfg={"compile": {"target": target, "backend": "aot_eager"}}
        )
        counters.clear()
        compiled.train()
        assert counters["stats"]["unique_graphs"] == (2 if isinstance(target, list) else 1)
        assert losses(compiled) == pytest.approx(losses(eager), rel=1e-4)
        assert compiled.model.state_dict().keys() == eager.model.state_dict().keys()

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            ({"targets": "step"}, "has no setting 'targets'"),
            ({"target": "step", "bakcend": "inductor"}, "did you mean 'backend'?"),
            ({"backend": "inducter"}, "Invalid backend: 'inducter'"),
            ({"target": "training"}, "the model has no 'training' to compile"),
            (3, "compile is 3"),
        ],
        ids=str,
    )
    def test_a_setting_that_is_wrong(self, tmp_path, settings, said):
        runner = make(tmp_path, False, cfg={"compile": settings})
        with pytest.raises(ConfigError, match="at: compile") as error:
            runner.train()
        assert said in str(error.value)

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
