"""Steps with less Python around them are the steps of torch, to the last bit."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from mainspring.fast.quick_step import QuickStep, quick_backward
from mainspring.optim import OptimWrapper
from mainspring.optim.optimizer.fused_choice import choose_fused

OPTIMIZERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.1),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "dampening": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, dampening=0.3),
    "nesterov": lambda p: torch.optim.SGD(
        p, lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.02
    ),
    "maximize": lambda p: torch.optim.SGD(p, lr=0.001, maximize=True, momentum=0.5),
    "fused sgd": lambda p: torch.optim.SGD(p, lr=0.1, fused=True),
    "adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "fused adam": lambda p: torch.optim.Adam(p, lr=0.01, weight_decay=0.1, fused=True),
    "fused adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1, fused=True),
    "amsgrad": lambda p: torch.optim.AdamW(p, lr=0.01, amsgrad=True, fused=True),
    "fused maximize": lambda p: torch.optim.Adam(p, lr=0.01, maximize=True, fused=True),
    "rmsprop": lambda p: torch.optim.RMSprop(p, lr=0.01),
}


class Net(nn.Module):
    """A network with a part that is not always used, and so has no gradient then."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 8)
        self.second = nn.Linear(8, 1)
        self.sometimes = nn.Linear(4, 1)

    def forward(self, inputs, sometimes=False):
        outputs = self.second(torch.tanh(self.first(inputs)))
        return outputs + self.sometimes(inputs) if sometimes else outputs


def net():
    torch.manual_seed(0)
    return Net()


def groups(model):
    """Two groups with settings of their own."""
    return [
        {"params": list(model.first.parameters())},
        {"params": [*model.second.parameters(), *model.sometimes.parameters()], "lr": 0.003},
    ]


def losses(model, step):
    generator = torch.Generator().manual_seed(step)
    inputs, targets = torch.randn(6, 4, generator=generator), torch.ones(6, 1)
    return nn.functional.mse_loss(model(inputs, sometimes=step % 3 == 2), targets)


def plainly(model, optimizer, steps):
    for step in steps:
        losses(model, step).backward()
        optimizer.step()
        optimizer.zero_grad()


def quickly(model, optimizer, steps, quick=None):
    quick = quick or QuickStep(optimizer)
    for step in steps:
        quick_backward(losses(model, step))
        quick.step()
        quick.zero_grad()
        assert all(parameter.grad is None for parameter in model.parameters())
    return quick


def assert_equal(one, other):
    torch.testing.assert_close(one.state_dict(), other.state_dict(), rtol=0, atol=0)


@pytest.mark.parametrize("kind", OPTIMIZERS)
@pytest.mark.parametrize("grouped", [False, True])
def test_the_same_weights_and_states(kind, grouped):
    ours, theirs = net(), net()
    params = groups if grouped else lambda model: model.parameters()
    our_optimizer, optimizer = OPTIMIZERS[kind](params(ours)), OPTIMIZERS[kind](params(theirs))
    quickly(ours, our_optimizer, range(10))
    plainly(theirs, optimizer, range(10))
    assert_equal(ours, theirs)
    assert_equal(our_optimizer, optimizer)


@pytest.mark.parametrize("kind", ["momentum", "fused adamw", "sgd"])
def test_settings_that_change_in_between(kind):
    ours, theirs = net(), net()
    pairs = [(ours, OPTIMIZERS[kind](groups(ours))), (theirs, OPTIMIZERS[kind](groups(theirs)))]
    train = [quickly, plainly]
    quick = None

    def both(steps):
        nonlocal quick
        quick = quickly(*pairs[0], steps, quick)
        plainly(*pairs[1], steps)
        assert_equal(ours, theirs)

    both([0, 1])
    for _, optimizer in pairs:
        optimizer.param_groups[0]["lr"] = 0.02
        optimizer.param_groups[1]["weight_decay"] = 0.5
    both([3, 4])
    states = [copy.deepcopy(optimizer.state_dict()) for _, optimizer in pairs]
    both([6])
    for (_, optimizer), state in zip(pairs, states):
        optimizer.load_state_dict(state)
    both([7, 9])
    for model, optimizer in pairs:
        extra = nn.Parameter(torch.ones(3))
        model.extra = extra
        optimizer.add_param_group({"params": [extra]})
    both([10, 12])
    assert train


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("kind", ["sgd", "momentum", "nesterov"])
def test_parameters_of_half_precision(kind, dtype):
    models = [nn.Linear(8, 4).to(dtype) for _ in range(2)]
    models[1].load_state_dict(models[0].state_dict())
    optimizers = [OPTIMIZERS[kind](model.parameters()) for model in models]
    quick = QuickStep(optimizers[0])
    for step in range(6):
        for model in models:
            generator = torch.Generator().manual_seed(step)
            for parameter in model.parameters():
                parameter.grad = torch.randn(parameter.shape, generator=generator).to(dtype)
        quick.step()
        optimizers[1].step()
    assert_equal(*models)


def test_momentum_that_is_turned_on_later():
    ours, theirs = net(), net()
    our_optimizer, optimizer = (
        OPTIMIZERS["sgd"](ours.parameters()),
        OPTIMIZERS["sgd"](theirs.parameters()),
    )
    quick = quickly(ours, our_optimizer, [0, 1])
    plainly(theirs, optimizer, [0, 1])
    for each in (our_optimizer, optimizer):
        each.param_groups[0]["momentum"] = 0.9
    quickly(ours, our_optimizer, [3, 4], quick)
    plainly(theirs, optimizer, [3, 4])
    assert_equal(ours, theirs)


def forget(optimizer, parameter):
    del optimizer.state[parameter]


def replace_state(optimizer, parameter):
    optimizer.state[parameter] = {
        name: torch.zeros_like(value) for name, value in optimizer.state[parameter].items()
    }


def replace_tensors(optimizer, parameter):
    for name, value in optimizer.state[parameter].items():
        optimizer.state[parameter][name] = torch.zeros_like(value)


@pytest.mark.parametrize("kind", ["momentum", "fused adamw", "amsgrad"])
@pytest.mark.parametrize("change", [forget, replace_state, replace_tensors])
@pytest.mark.parametrize("index", [0, 1, 3])
def test_a_state_of_any_parameter_that_begins_anew(kind, change, index):
    models = ours, theirs = net(), net()
    for model in models:
        del model.sometimes
    optimizers = [OPTIMIZERS[kind](model.parameters()) for model in models]
    quick = quickly(ours, optimizers[0], [0, 1, 3])
    plainly(theirs, optimizers[1], [0, 1, 3])
    for optimizer in optimizers:
        change(optimizer, optimizer.param_groups[0]["params"][index])
    quickly(ours, optimizers[0], [4, 6], quick)
    plainly(theirs, optimizers[1], [4, 6])
    assert_equal(ours, theirs)


def test_hooks_of_the_optimizer_are_called():
    model, calls = net(), []
    optimizer = OPTIMIZERS["fused adamw"](model.parameters())
    quick = quickly(model, optimizer, [2])
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    quickly(model, optimizer, [5, 8], quick)
    assert len(calls) == 2


def test_a_step_that_somebody_replaced_is_called():
    model, calls = net(), []
    optimizer = OPTIMIZERS["sgd"](model.parameters())
    quick = quickly(model, optimizer, [0])
    optimizer.step = lambda: calls.append(1)
    quickly(model, optimizer, [1], quick)
    assert calls == [1]


def test_a_profiler_sees_the_step():
    model = net()
    optimizer = OPTIMIZERS["fused adamw"](model.parameters())
    quick = quickly(model, optimizer, [2])
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profiler:
        quickly(model, optimizer, [5], quick)
    assert any("Optimizer.step" in event.key for event in profiler.key_averages())


def test_optimizers_that_are_not_of_torch():
    class Own:
        param_groups = [{"params": [], "lr": 0.1}]
        defaults = {"lr": 0.1}
        stepped = cleared = 0

        def step(self):
            self.stepped += 1

        def zero_grad(self):
            self.cleared += 1

    own = Own()
    quick = QuickStep(own)
    quick.step(), quick.zero_grad()
    assert (own.stepped, own.cleared) == (1, 1)


def test_a_wrapper_whose_optimizer_is_exchanged_steps_the_new_one():
    model = net()
    wrapper = OptimWrapper(torch.optim.SGD(model.first.parameters(), lr=0.1))
    wrapper.update_params(losses(model, 0))
    wrapper.optimizer = torch.optim.SGD(model.second.parameters(), lr=0.1)
    before = copy.deepcopy(model.state_dict())
    model.zero_grad()
    wrapper.update_params(losses(model, 1))
    after = model.state_dict()
    changed = {name for name in after if not torch.equal(after[name], before[name])}
    assert changed == {"second.weight", "second.bias"}


class TestBackward:
    def test_gradients_of_a_sum_may_be_changed_in_place(self):
        """The gradient of a parameter may be a view of what the backward pass began with."""
        for _ in range(2):
            parameter = nn.Parameter(torch.ones(1))
            quick_backward(parameter.sum())
            assert parameter.grad.item() == 1
            parameter.grad.mul_(5)

    def test_gradients_are_added_up(self):
        model = net()
        for _ in range(2):
            quick_backward(losses(model, 2))
        other = net()
        (2 * losses(other, 2)).backward()
        for ours, theirs in zip(model.parameters(), other.parameters()):
            torch.testing.assert_close(ours.grad, theirs.grad)

    def test_a_loss_without_gradient_is_an_error_as_in_torch(self):
        with pytest.raises(RuntimeError, match="does not require grad"):
            quick_backward(torch.tensor(1.0))

    def test_a_complex_loss_is_an_error_as_in_torch(self):
        with pytest.raises(RuntimeError, match="real scalar outputs"):
            quick_backward(nn.Parameter(torch.ones((), dtype=torch.complex64)) * 2)

    def test_a_loss_of_several_elements_is_an_error_as_in_torch(self):
        with pytest.raises(RuntimeError, match="scalar outputs"):
            quick_backward(nn.Parameter(torch.ones(2)) * 2)


class TestChoosingFused:
    def test_it_is_chosen_where_nothing_else_is_asked(self):
        optimizer = torch.optim.AdamW(groups(net()), lr=0.1)
        assert choose_fused(optimizer)
        assert [group["fused"] for group in optimizer.param_groups] == [True, True]

    @pytest.mark.parametrize(
        "make",
        [
            lambda p: torch.optim.AdamW(p, fused=False),
            lambda p: torch.optim.AdamW(p, foreach=True),
            lambda p: torch.optim.AdamW(p, capturable=True),
            lambda p: torch.optim.AdamW(p, lr=torch.tensor(0.1)),
            lambda p: torch.optim.SGD(p, lr=0.1),
            torch.optim.RMSprop,
            type("Own", (torch.optim.AdamW,), {}),
        ],
    )
    def test_it_is_not_chosen_otherwise(self, make):
        optimizer = make(net().parameters())
        before = copy.deepcopy(optimizer.param_groups)
        assert not choose_fused(optimizer)
        assert optimizer.param_groups[0].get("fused") == before[0].get("fused")

    def test_its_states_are_those_of_fused_from_the_start(self):
        ours, theirs = net(), net()
        chosen = torch.optim.AdamW(ours.parameters(), lr=0.01)
        choose_fused(chosen)
        asked = torch.optim.AdamW(theirs.parameters(), lr=0.01, fused=True)
        plainly(ours, chosen, range(4))
        plainly(theirs, asked, range(4))
        assert_equal(chosen, asked)
        assert_equal(ours, theirs)

    def test_a_run_that_began_without_goes_on_without(self):
        model = net()
        old = torch.optim.AdamW(model.parameters(), lr=0.01)
        plainly(model, old, [0, 2])
        new = torch.optim.AdamW(net().parameters(), lr=0.01)
        choose_fused(new)
        new.load_state_dict(old.state_dict())
        assert new.param_groups[0]["fused"] is None
