"""Strategies make, save and load what is trained; FlexibleRunner trains with their parts."""

from __future__ import annotations

import textwrap

import pytest
import torch
from torch import nn

from mainspring._strategy import (
    ColossalAIStrategy,
    DDPStrategy,
    DeepSpeedStrategy,
    FSDPStrategy,
    SingleDeviceStrategy,
)
from mainspring._strategy.utils import MetaTensorContext
from mainspring.logging import MMLogger
from mainspring.model import BaseModel, is_model_wrapper
from mainspring.optim import LinearLR, OptimWrapper
from mainspring.registry import MODELS, RUNNERS, STRATEGIES
from mainspring.runner import FlexibleRunner, Runner
from mainspring.testing import RunnerTestCase
from prepared_processes import run_ranks


class Line(BaseModel):
    """One layer; the loss is its mean output."""

    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.layer = nn.Linear(2, 1)
        self.norm = nn.SyncBatchNorm(1)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        return {"loss": self.layer(inputs).mean()}


LOADED = dict(max_epochs=4, max_iters=8, epoch_length=2)
SGD = dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9))
LINEAR = dict(type="LinearLR", start_factor=0.5, end=4)


@pytest.fixture(autouse=True)
def registered():
    MODELS.register_module(module=Line, force=True)
    yield
    MODELS.module_dict.pop("Line")
    for name in list(MMLogger._instance_dict):
        MMLogger.release_instance(name)


@pytest.fixture
def strategy(tmp_path):
    return SingleDeviceStrategy(
        work_dir=str(tmp_path), experiment_name="run", env_kwargs=dict(randomness=dict(seed=3))
    )


def test_the_environment_is_there_at_once(strategy, tmp_path):
    assert strategy.experiment_name == f"run_{strategy.timestamp}"
    assert strategy.log_dir == str(tmp_path / strategy.timestamp)
    assert (strategy.launcher, strategy.distributed) == ("none", False)
    assert (strategy.rank, strategy.world_size, strategy.seed) == (0, 1, 3)
    assert torch.initial_seed() == 3
    system, run = strategy.collect_env()
    assert "PyTorch" in system
    assert run["Distributed launcher"] == "none"


def test_parts_are_made_from_dicts(strategy):
    model, wrapper, schedulers = strategy.prepare(
        dict(type="Line"), optim_wrapper=SGD, param_scheduler=LINEAR, dispatch_kwargs=LOADED
    )
    assert isinstance(model.norm, nn.BatchNorm1d) or not isinstance(model.norm, nn.SyncBatchNorm)
    assert isinstance(wrapper, OptimWrapper)
    assert isinstance(schedulers[0], LinearLR)
    assert strategy.prepare(dict(type="Line"))[0] is model


def test_parts_are_taken_as_they_are(tmp_path):
    model = Line()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1))
    strategy = SingleDeviceStrategy(work_dir=str(tmp_path))
    assert strategy.prepare(model, optim_wrapper=wrapper) == [model, wrapper]
    assert SingleDeviceStrategy(work_dir=str(tmp_path)).prepare(model) is model


def test_what_no_part_can_be_made_from(strategy):
    with pytest.raises(TypeError, match="model should be"):
        strategy.prepare("Line")
    with pytest.raises(TypeError, match="optimizer wrapper should be"):
        strategy.prepare(Line(), optim_wrapper="SGD")


def test_accumulation_needs_the_end_of_training(strategy):
    with pytest.raises(ValueError, match="accumulative_counts needs to know"):
        strategy.prepare(Line(), optim_wrapper=dict(**SGD, accumulative_counts=2))


def test_the_learning_rate_is_scaled(tmp_path):
    strategy = SingleDeviceStrategy(
        work_dir=str(tmp_path), auto_scale_lr=dict(enable=True, base_batch_size=16)
    )
    sizes = dict(train_micro_batch_size_per_gpu=4)
    _, wrapper = strategy.prepare(Line(), optim_wrapper=SGD, dispatch_kwargs=sizes)
    assert wrapper.optimizer.param_groups[0]["lr"] == pytest.approx(0.1 / 4)


def train(strategy, steps):
    for _ in range(steps):
        loss = strategy.model(torch.ones(4, 2), mode="loss")["loss"]
        strategy.optim_wrapper.update_params(loss)
        for scheduler in strategy.param_schedulers:
            scheduler.step()
    return strategy.model.layer.weight.detach().clone()


def test_what_is_resumed_goes_on_as_if_it_never_ended(strategy, tmp_path):
    described = dict(optim_wrapper=SGD, param_scheduler=LINEAR, dispatch_kwargs=LOADED)
    strategy.prepare(dict(type="Line"), **described)
    train(strategy, 2)
    file = str(tmp_path / "a.pth")
    strategy.save_checkpoint(
        file, extra_ckpt=dict(meta=dict(iter=2)), callback=lambda saved: saved.update(more=1)
    )
    expected = train(strategy, 3)

    other = SingleDeviceStrategy(work_dir=str(tmp_path))
    other.prepare(dict(type="Line"), **described)
    seen = []
    rest = other.resume(file, callback=lambda loaded: seen.append(set(loaded)))
    assert seen == [{"state_dict", "optimizer", "param_schedulers", "meta", "more"}]
    assert rest["meta"]["iter"] == 2
    assert other.seed == 3
    assert torch.equal(train(other, 3), expected)


def test_weights_alone(strategy, tmp_path):
    model = strategy.prepare(Line())
    file = str(tmp_path / "a.pth")
    strategy.save_checkpoint(file)
    other = SingleDeviceStrategy(work_dir=str(tmp_path / "other"))
    loaded = other.prepare(Line())
    assert other.load_or_resume() is None
    assert set(other.load_or_resume(load_from=file)["meta"]) == {"seed", "time", "mmengine"}
    assert torch.equal(loaded.layer.weight, model.layer.weight)
    assert other.load_or_resume(resume=True) is None  # there is nothing in its own directory


def test_two_ranks_average_their_gradients(tmp_path):
    program = f"""
        import torch
        from torch import nn
        from mainspring._strategy import DDPStrategy
        from mainspring.dist import get_rank
        strategy = DDPStrategy(
            work_dir={str(tmp_path)!r},
            env_kwargs=dict(launcher="pytorch", dist_cfg=dict(backend="gloo")),
            model_wrapper=dict(find_unused_parameters=True),
        )
        net = nn.Linear(2, 1)
        nn.init.zeros_(net.weight)
        net.train_step = None
        model, wrapper = strategy.prepare(
            net, optim_wrapper=dict(optimizer=dict(type="SGD", lr=1.0))
        )
        wrapper.update_params(model(torch.full((1, 2), float(get_rank()))).sum())
        assert net.weight.tolist() == [[-0.5, -0.5]], net.weight
        strategy.save_checkpoint({str(tmp_path / "ddp.pth")!r})
    """
    for done in run_ranks(2, ["-c", textwrap.dedent(program)]):
        assert done.returncode == 0, done.stdout
    saved = torch.load(tmp_path / "ddp.pth", weights_only=True)
    assert set(saved["state_dict"]) == {"weight", "bias"}


class Case(RunnerTestCase):
    def runTest(self):  # what a derived class does is done by the tests
        pass


@pytest.fixture
def cfg():
    case = Case()
    case.setUp()
    yield case.epoch_based_cfg
    case.tearDown()


def weights_after(runner):
    torch.manual_seed(0)
    runner.train()
    return [parameter.detach().clone() for parameter in runner.model.parameters()]


def test_a_flexible_runner_trains_as_the_runner_does(cfg):
    cfg.randomness = dict(seed=1)
    cfg.param_scheduler = dict(type="LinearLR", start_factor=0.5)
    plain = weights_after(Runner.from_cfg(cfg))
    cfg.runner_type = "FlexibleRunner"
    cfg.strategy = dict(type="SingleDeviceStrategy")
    runner = RUNNERS.build(cfg)
    assert isinstance(runner, FlexibleRunner)
    assert all(map(torch.equal, weights_after(runner), plain))
    strategy = runner.strategy
    assert strategy.model is runner.model
    assert strategy.optim_wrapper is runner.optim_wrapper
    assert strategy.param_schedulers is runner.param_schedulers
    assert (strategy.log_dir, strategy.seed) == (runner.log_dir, 1)
    assert runner.test() == {"acc": 1}


def test_a_flexible_runner_continues(cfg):
    FlexibleRunner.from_cfg(cfg).train()
    cfg.resume = True
    cfg.train_cfg.max_epochs = 3
    runner = FlexibleRunner.from_cfg(cfg)
    runner.train()
    assert (runner.epoch, runner.iter) == (3, 12)


def test_a_strategy_of_ones_own_makes_the_parts(cfg):
    class Frozen(SingleDeviceStrategy):
        def _wrap_model(self, model):
            model.linear1.requires_grad_(False)
            return super()._wrap_model(model)

    ready = Frozen(work_dir=cfg.work_dir)
    runner = FlexibleRunner(dict(type="ToyModel"), work_dir=cfg.work_dir, strategy=ready)
    assert runner.strategy is ready
    assert not runner.model.linear1.weight.requires_grad
    assert ready.timestamp == runner.timestamp


def test_what_the_runner_would_not_call_is_refused(cfg):
    class Saving(SingleDeviceStrategy):
        def save_checkpoint(self, filename, **kwargs):
            pass

    STRATEGIES.register_module(module=Saving, force=True)
    with pytest.raises(ValueError, match="Saving.save_checkpoint would not be called"):
        FlexibleRunner.from_cfg({**cfg.to_dict(), "strategy": dict(type="Saving")})
    STRATEGIES.module_dict.pop("Saving")
    with pytest.raises(ValueError, match="(?s)the strategy wraps the model.*model_wrapper="):
        FlexibleRunner.from_cfg({**cfg.to_dict(), "model_wrapper_cfg": dict(type="DataParallel")})
    with pytest.raises(TypeError, match="compile should be a bool or dict"):
        FlexibleRunner(dict(type="ToyModel"), compile="forward")


@pytest.mark.parametrize(
    ("kind", "name"),
    [(FSDPStrategy, "FSDP"), (DeepSpeedStrategy, "DeepSpeed"), (ColossalAIStrategy, "ColossalAI")],
)
def test_strategies_that_are_missing_say_so(kind, name):
    with pytest.raises(NotImplementedError, match=f"(?s)no {name}Strategy.*help:"):
        kind(work_dir="anywhere", plugin="gemini")
    assert STRATEGIES.get(f"{name}Strategy") is kind


def test_models_without_memory():
    with MetaTensorContext():
        assert nn.Linear(2, 2).weight.is_meta
        assert torch.ones(3, device="cpu").is_meta
    assert not torch.ones(3).is_meta


def test_a_wrapped_model_is_not_wrapped_again(tmp_path):
    strategy = DDPStrategy(work_dir=str(tmp_path), env_kwargs=dict(launcher="none"))
    wrapped = nn.DataParallel(nn.Linear(2, 2))
    assert is_model_wrapper(wrapped)
    assert strategy._wrap_model(wrapped) is wrapped
