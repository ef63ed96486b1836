from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mainspring.errors import ConfigError
from mainspring.hooks import EMAHook


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
    with pytest.raises(ConfigError, match="only one"):
        EMAHook(begin_iter=1, begin_epoch=1)
    with pytest.raises(ConfigError, match="before the start"):
        EMAHook(begin_iter=-1)
    hook = EMAHook(begin_epoch=5)
    runner = make_runner(hook)
    with pytest.raises(ConfigError, match="training ends at 4"):
        hook.before_train(runner)
