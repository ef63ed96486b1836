from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mainspring.dataset import DataLoader
from mainspring.errors import ConfigError
from mainspring.evaluator import Accuracy
from mainspring.hooks import EMAHook
from mainspring.model import Supervised
from mainspring.runner import Runner


def run_steps(runner, hook, count, momentum=None):
    """Move the weights by 1 in each step; returns the average that the formula gives."""
    for _ in range(count):
        with torch.no_grad():
            runner.model.weight += 1.0
        hook.after_train_iter(runner, runner.iter)
        runner.iter += 1


@pytest.fixture
def make(make_runner):
    def make(**arguments):
        hook = EMAHook(momentum=0.25, **arguments)
        runner = make_runner(hook)
        nn.init.zeros_(runner.model.weight)
        hook.before_run(runner)
        hook.before_train(runner)
        return runner, hook

    return make


def expected_average(values, momentum=0.25):
    average = values[0]
    for value in values[1:]:
        average = (1 - momentum) * average + momentum * value
    return average


def average_of(hook):
    return hook.ema_model.module.weight[0, 0].item()


def test_the_average_follows_the_formula_from_the_first_step_on(make) -> None:
    runner, hook = make()
    run_steps(runner, hook, 5)
    assert average_of(hook) == pytest.approx(expected_average([1, 2, 3, 4, 5]))


def test_before_its_beginning_nothing_is_copied(make) -> None:
    runner, hook = make(begin_iter=4)
    run_steps(runner, hook, 3)
    assert hook.ema_model.steps == 0
    assert average_of(hook) == 0.0
    run_steps(runner, hook, 3)
    assert average_of(hook) == pytest.approx(expected_average([4, 5, 6]))


def test_evaluation_uses_the_average_and_training_goes_on_with_the_weights(make) -> None:
    runner, hook = make()
    run_steps(runner, hook, 3)
    memory = runner.model.weight.data_ptr()
    for mode in ("val", "test"):
        getattr(hook, f"before_{mode}_epoch")(runner)
        assert runner.model.weight[0, 0].item() == pytest.approx(expected_average([1, 2, 3]))
        getattr(hook, f"after_{mode}_epoch")(runner, metrics={})
        assert runner.model.weight[0, 0].item() == 3.0
    assert runner.model.weight.data_ptr() == memory, "memory is exchanged, not copied"


def test_evaluation_before_the_beginning_uses_the_weights(make) -> None:
    runner, hook = make(begin_iter=8)
    run_steps(runner, hook, 2)
    hook.before_val_epoch(runner)
    assert runner.model.weight[0, 0].item() == 2.0
    hook.after_val_epoch(runner, metrics={})
    assert runner.model.weight[0, 0].item() == 2.0


def checkpoint_of(runner, hook):
    checkpoint = {"state_dict": copy.deepcopy(dict(runner.model.state_dict()))}
    hook.before_save_checkpoint(runner, checkpoint)
    return copy.deepcopy(checkpoint)


def test_a_checkpoint_holds_the_average_as_weights_and_the_weights_beside_it(make) -> None:
    runner, hook = make()
    run_steps(runner, hook, 3)
    checkpoint = checkpoint_of(runner, hook)
    assert checkpoint["state_dict"]["weight"][0, 0] == pytest.approx(expected_average([1, 2, 3]))
    assert set(checkpoint["ema_state_dict"]) == {"steps", "module.weight"}
    assert checkpoint["ema_state_dict"]["module.weight"][0, 0] == 3.0
    assert checkpoint["ema_state_dict"]["steps"] == 3
    assert runner.model.weight[0, 0] == 3.0, "saving changes nothing"


def test_a_checkpoint_written_in_an_evaluation_is_the_same(make) -> None:
    runner, hook = make()
    run_steps(runner, hook, 3)
    outside = checkpoint_of(runner, hook)
    hook.before_val_epoch(runner)
    inside = checkpoint_of(runner, hook)
    torch.testing.assert_close(inside, outside, rtol=0, atol=0)


def test_before_the_beginning_both_are_the_weights(make) -> None:
    runner, hook = make(begin_iter=8)
    run_steps(runner, hook, 2)
    checkpoint = checkpoint_of(runner, hook)
    assert checkpoint["state_dict"]["weight"][0, 0] == 2.0
    assert checkpoint["ema_state_dict"]["module.weight"][0, 0] == 2.0
    assert checkpoint["ema_state_dict"]["steps"] == 0


@pytest.mark.parametrize("begin_iter", [0, 6])
def test_a_resumed_run_ends_like_the_uninterrupted_one(make, begin_iter) -> None:
    whole_runner, whole = make(begin_iter=begin_iter)
    run_steps(whole_runner, whole, 4)
    checkpoint = checkpoint_of(whole_runner, whole)
    run_steps(whole_runner, whole, 4)

    runner, hook = make(begin_iter=begin_iter)
    runner._resume = True
    runner.iter = 4
    hook.after_load_checkpoint(runner, checkpoint)
    runner.model.load_state_dict(checkpoint["state_dict"])
    run_steps(runner, hook, 4)
    assert torch.equal(runner.model.weight, whole_runner.model.weight)
    assert torch.equal(hook.ema_model.module.weight, whole.ema_model.module.weight)
    assert torch.equal(hook.ema_model.steps, whole.ema_model.steps)


def test_loading_without_resuming_takes_the_average_as_weights(make) -> None:
    runner, hook = make()
    run_steps(runner, hook, 3)
    checkpoint = checkpoint_of(runner, hook)
    other_runner, other = make()
    other.after_load_checkpoint(other_runner, checkpoint)
    assert average_of(other) == pytest.approx(expected_average([1, 2, 3]))
    assert other.ema_model.steps == 0
    assert checkpoint["state_dict"]["weight"][0, 0] == pytest.approx(expected_average([1, 2, 3]))


def test_a_checkpoint_without_average_starts_it(make) -> None:
    runner, hook = make()
    runner._resume = True
    hook.after_load_checkpoint(runner, {"state_dict": {"weight": torch.full((1, 2), 9.0)}})
    assert average_of(hook) == 9.0


def test_wrong_beginnings_are_refused(make_runner) -> None:
    with pytest.raises(AssertionError, match="only one"):
        EMAHook(begin_iter=1, begin_epoch=1)
    with pytest.raises(AssertionError, match="before the start"):
        EMAHook(begin_iter=-1)
    hook = EMAHook(begin_epoch=5)
    runner = make_runner(hook)
    with pytest.raises(ConfigError, match="training ends at 4"):
        hook.before_train(runner)


@pytest.mark.parametrize(
    ("momentum", "begin", "share"),
    [
        (0.0002, {}, "100%"),  # (1 - 0.0002) ** 8
        (0.05, {}, "66%"),  # 0.95 ** 8
        (0.1, {"begin_iter": 4}, "66%"),  # 0.9 ** 4
        (0.1, {"begin_epoch": 2}, "66%"),
    ],
)
def test_an_average_that_hardly_averages_is_said_with_a_momentum_that_would(
    make_runner, momentum, begin, share
) -> None:
    hook = EMAHook(momentum=momentum, **begin)
    runner = make_runner(hook)
    hook.before_run(runner)
    hook.before_train(runner)
    (said,) = runner.warnings
    assert f"{share} of the average are the weights that it begins with" in said
    fitting = float(said.partition("and momentum=")[2].split()[0])
    assert (1 - fitting) ** (8 if not begin else 4) < 0.5


def test_an_average_that_is_long_enough_is_not_complained_about(make) -> None:
    runner, _ = make()
    assert runner.warnings == []


def lazy_run(work_dir, epochs, **more):
    torch.manual_seed(0)
    points = torch.randn(16, 4)
    data = list(zip(points, (points[:, 0] > 0).long(), strict=True))
    net = nn.Sequential(nn.LazyLinear(6), nn.LazyBatchNorm1d(), nn.ReLU(), nn.LazyLinear(2))
    runner = Runner(
        model=Supervised(net, nn.CrossEntropyLoss()),
        work_dir=str(work_dir),
        train_dataloader=DataLoader(data, batch_size=4, shuffle=True),
        train_cfg=dict(max_epochs=epochs),
        val_dataloader=DataLoader(data, batch_size=4),
        val_evaluator=Accuracy(),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1)),
        custom_hooks=[EMAHook(momentum=0.25)],
        randomness=dict(seed=0),
        **more,
    )
    runner.train()
    return runner


def test_modules_that_get_their_shapes_from_the_first_batch_are_averaged(tmp_path) -> None:
    with torch.no_grad():
        net = nn.Sequential(nn.LazyLinear(2, bias=False))
        average = EMAHook(momentum=0.25).average_of(net)
        values = torch.tensor([1.0, 2.0, 5.0])
        for value in values:
            net(torch.ones(1, 3))
            net[0].weight.fill_(value)
            average.update_parameters(net)
    expected = expected_average(values.tolist())
    torch.testing.assert_close(average.module[0].weight, torch.full((2, 3), expected))
    assert not average.module[0].weight.requires_grad

    whole = lazy_run(tmp_path / "whole", 3)
    lazy_run(tmp_path / "parts", 2)
    resumed = lazy_run(tmp_path / "parts", 3, resume=True)
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed.model.state_dict()[name]), name
    saved = [
        torch.load(tmp_path / part / "epoch_3.pth", weights_only=True)["state_dict"]
        for part in ("whole", "parts")
    ]
    torch.testing.assert_close(saved[0], saved[1], rtol=0, atol=0)


class EvaluatesBoth(EMAHook):
    """As one of OpenMMLab's projects derives it: the private names are called without a question."""

    def before_val_epoch(self, runner) -> None:
        self._swap_ema_parameters()

    def after_val_epoch(self, runner, metrics=None) -> None:
        self._swap_ema_parameters()


def test_a_derived_hook_exchanges_by_the_names_that_mmengine_has(make_runner) -> None:
    hook = EvaluatesBoth(momentum=0.25)
    runner = make_runner(hook)
    nn.init.zeros_(runner.model.weight)
    hook.before_run(runner)
    run_steps(runner, hook, 3)
    hook.before_val_epoch(runner)
    assert runner.model.weight[0, 0].item() == pytest.approx(expected_average([1, 2, 3]))
    hook.after_val_epoch(runner)
    assert runner.model.weight[0, 0].item() == 3
    checkpoint = {
        "state_dict": {"weight": torch.ones(1)},
        "ema_state_dict": {"steps": torch.tensor(1), "module.weight": torch.zeros(1)},
    }
    hook._swap_ema_state_dict(checkpoint)
    assert checkpoint["state_dict"]["weight"] == 0
    assert checkpoint["ema_state_dict"]["module.weight"] == 1


def test_before_its_beginning_an_exchange_gives_the_weights_of_now(make_runner) -> None:
    hook = EvaluatesBoth(begin_iter=10)
    runner = make_runner(hook)
    nn.init.zeros_(runner.model.weight)
    hook.before_run(runner)
    run_steps(runner, hook, 3)
    for swap in (hook.before_val_epoch, hook.after_val_epoch):
        swap(runner)
        assert runner.model.weight[0, 0].item() == average_of(hook) == 3
