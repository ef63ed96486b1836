"""Averages of weights, against closed forms."""

import copy

import pytest
import torch
from torch import nn

from mainspring.model import (
    BaseAveragedModel,
    ExponentialMovingAverage,
    MomentumAnnealingEMA,
    StochasticWeightAverage,
)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 4).double()
        self.halved = nn.Linear(2, 2).to(torch.bfloat16)
        self.norm = nn.BatchNorm1d(4).double()
        self.register_buffer("scratch", torch.ones(1), persistent=False)


def walk(model, average, steps):
    """Change the model randomly, averaging after each change; returns the weights seen."""
    seen = []
    for _ in range(steps):
        with torch.no_grad():
            for tensor in [*model.parameters(), model.norm.running_mean]:
                tensor.add_(torch.randn_like(tensor))
            model.norm.num_batches_tracked += 1
            model.scratch += 1
        average.update_parameters(model)
        seen.append({name: value.clone() for name, value in model.state_dict().items()})
    return seen


@pytest.mark.parametrize("momentum", [0.0002, 0.3])
def test_exponential_average_equals_its_closed_form(momentum):
    model = Net()
    average = ExponentialMovingAverage(model, momentum=momentum)
    seen = walk(model, average, 6)
    expected = seen[0]["linear.weight"] * (1 - momentum) ** 5
    for age, state in enumerate(reversed(seen[1:])):
        expected = expected + momentum * (1 - momentum) ** age * state["linear.weight"]
    torch.testing.assert_close(average.module.linear.weight.detach(), expected)
    assert average.steps.item() == 6


def test_every_interval_th_update_counts():
    model = Net()
    average = ExponentialMovingAverage(model, momentum=0.5, interval=2)
    seen = [state["linear.weight"] for state in walk(model, average, 4)]
    expected = seen[0].lerp(seen[2], 0.5)
    torch.testing.assert_close(average.module.linear.weight.detach(), expected)


@pytest.mark.parametrize("interval", [1, 2])
def test_the_mean_of_all_weights(interval):
    model = Net()
    average = StochasticWeightAverage(model, interval=interval)
    seen = [state["linear.weight"] for state in walk(model, average, 7)]
    expected = torch.stack(seen[::interval]).mean(0)
    torch.testing.assert_close(average.module.linear.weight.detach(), expected)


def test_annealing_starts_quickly_and_ends_at_the_momentum():
    model = Net()
    average = MomentumAnnealingEMA(model, momentum=0.4, gamma=2)
    seen = [state["linear.weight"] for state in walk(model, average, 6)]
    expected = seen[0]
    for steps, weight in enumerate(seen[1:], start=1):
        expected = expected.lerp(weight, max(0.4, 2 / (2 + steps)))
    assert torch.equal(average.module.linear.weight, expected)


def test_each_type_is_averaged_in_its_own_precision():
    model = Net()
    average = ExponentialMovingAverage(model, momentum=0.3)
    seen = [state["halved.weight"] for state in walk(model, average, 3)]
    expected = seen[0].clone()
    for weight in seen[1:]:
        expected.lerp_(weight, 0.3)
    assert average.module.halved.weight.dtype == torch.bfloat16
    assert torch.equal(average.module.halved.weight, expected)


@pytest.mark.parametrize("update_buffers", [False, True])
def test_buffers(update_buffers):
    model = Net()
    average = ExponentialMovingAverage(model, momentum=0.3, update_buffers=update_buffers)
    seen = [state["norm.running_mean"] for state in walk(model, average, 2)]
    expected = seen[0].lerp(seen[1], 0.3) if update_buffers else seen[1]
    assert torch.equal(average.module.norm.running_mean, expected)
    assert average.module.norm.num_batches_tracked == 2
    assert average.module.scratch == model.scratch


def test_shared_weights_are_averaged_once():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(2, 2, bias=False)
            self.b = nn.Linear(2, 2, bias=False)
            self.b.weight = self.a.weight

    model = Tied()
    average = ExponentialMovingAverage(model, momentum=0.25, update_buffers=True)
    average.update_parameters(model)
    start = model.a.weight.detach().clone()
    with torch.no_grad():
        model.a.weight.add_(1)
    average.update_parameters(model)
    torch.testing.assert_close(average.module.a.weight.detach(), start + 0.25)
    assert average.module.a.weight is average.module.b.weight


def test_a_subclass_with_only_avg_func_is_asked_tensor_by_tensor():
    class Newest(ExponentialMovingAverage):
        def avg_func(self, averaged_param, source_param, steps):
            averaged_param.copy_(source_param)

    model = Net()
    average = Newest(model)
    seen = walk(model, average, 3)
    assert torch.equal(average.module.linear.weight, seen[-1]["linear.weight"])


def test_one_call_averages_all_tensors_of_a_kind(monkeypatch):
    model = Net()
    average = ExponentialMovingAverage(model)
    average.update_parameters(model)
    calls = []
    lerp = torch._foreach_lerp_
    monkeypatch.setattr(torch, "_foreach_lerp_", lambda *a: (calls.append(len(a[0])), lerp(*a)))
    average.update_parameters(model)
    assert sorted(calls) == [2, 4]


def test_a_part_may_be_named_like_a_method():
    model = nn.Module()
    model.half = nn.Linear(1, 1)
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)
    average.update_parameters(model)
    assert average.steps.item() == 2


def test_replaced_tensors_are_followed():
    model = Net()
    average = ExponentialMovingAverage(model, momentum=0.5)
    average.update_parameters(model)
    other = {name: torch.full_like(value, 2) for name, value in model.state_dict().items()}
    model.load_state_dict(other, assign=True)
    before = average.module.linear.weight.detach().clone()
    average.update_parameters(model)
    torch.testing.assert_close(
        average.module.linear.weight.detach(), before.lerp(other["linear.weight"], 0.5)
    )


def test_state_survives_saving_and_copying():
    model = Net()
    average = ExponentialMovingAverage(model, momentum=0.3)
    walk(model, average, 2)
    loaded = ExponentialMovingAverage(Net(), momentum=0.3)
    loaded.load_state_dict(average.state_dict())
    copied = copy.deepcopy(average)
    for twin in (loaded, copied):
        torch.manual_seed(5)
        source = copy.deepcopy(model)
        walk(source, twin, 2)
        assert twin.steps.item() == 4
    assert torch.equal(loaded.module.linear.weight, copied.module.linear.weight)
    assert average.steps.item() == 2


def test_the_average_needs_no_gradient_and_can_be_called():
    model = nn.Linear(2, 2)
    average = ExponentialMovingAverage(model)
    assert not any(parameter.requires_grad for parameter in average.parameters())
    inputs = torch.ones(1, 2)
    assert torch.equal(average(inputs), model(inputs))
    assert list(average.state_dict()) == ["steps", "module.weight", "module.bias"]


def test_the_average_may_live_elsewhere_but_counts_on_the_cpu():
    average = ExponentialMovingAverage(nn.Linear(2, 2), device=torch.device("meta"))
    assert average.module.weight.device.type == "meta"
    assert average.to("meta").steps.device.type == "cpu"


@pytest.mark.parametrize("momentum", [0, 1.0, -1])
def test_wrong_momentum(momentum):
    with pytest.raises(AssertionError, match="momentum must be in range"):
        ExponentialMovingAverage(nn.Linear(1, 1), momentum=momentum)


def test_wrong_gamma():
    with pytest.raises(AssertionError, match="gamma must be greater than 0"):
        MomentumAnnealingEMA(nn.Linear(1, 1), gamma=0)


def test_averaging_another_model_is_an_error():
    average = StochasticWeightAverage(nn.Sequential(nn.Linear(1, 1)))
    with pytest.raises(KeyError, match=r"has '0.weight', but Linear has not"):
        average.update_parameters(nn.Linear(1, 1))


def test_the_base_says_nothing_about_how():
    assert issubclass(ExponentialMovingAverage, BaseAveragedModel)
