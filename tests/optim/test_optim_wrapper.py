"""Updating parameters: accumulation, clipping, what is recorded, what is saved."""

from __future__ import annotations

import io
import logging
from contextlib import contextmanager

import pytest
import torch
from torch import nn

from mainspring.logging import MessageHub
from mainspring.optim import OptimWrapper
from mainspring.registry import OPTIM_WRAPPERS

DATA = torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


def linear():
    torch.manual_seed(1)
    return nn.Linear(3, 2)


def wrap(model, **settings):
    rate = settings.pop("lr", 0.1)
    momentum = settings.pop("momentum", 0.9)
    optimizer = torch.optim.SGD(model.parameters(), lr=rate, momentum=momentum)
    return OptimWrapper(optimizer, **settings)


def loss_of(model, data):
    return (model(data) ** 2).mean()


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_one_call_is_backward_step_and_zero_grad():
    model, by_hand = linear(), linear()
    wrapper = wrap(model)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.1, momentum=0.9)
    for _ in range(3):
        wrapper.update_params(loss_of(model, DATA))
        loss_of(by_hand, DATA).backward()
        optimizer.step()
        optimizer.zero_grad()
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(by_hand), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
    assert (wrapper.micro_steps, wrapper.optimizer_steps, wrapper.inner_count) == (3, 3, 3)


def test_accumulating_equal_micro_batches_is_the_large_batch():
    small, large = linear(), linear()
    accumulating, plain = wrap(small, accumulative_counts=4), wrap(large)
    for _ in range(3):
        for part in DATA.split(2):
            accumulating.update_params(loss_of(small, part))
        plain.update_params(loss_of(large, DATA))
    for ours, reference in zip(weights(small), weights(large), strict=True):
        torch.testing.assert_close(ours, reference)
    assert (accumulating.micro_steps, accumulating.optimizer_steps) == (12, 3)


def test_the_last_iteration_closes_the_last_group():
    model = linear()
    wrapper = wrap(model, accumulative_counts=3)
    wrapper.initialize_count_status(model, 0, 8)
    factors, updates = [], []
    for _ in range(8):
        factors.append(float(wrapper.scale_loss(torch.tensor(1.0))))
        wrapper.update_params(loss_of(model, DATA))
        updates.append(wrapper.should_update())
    assert updates == [False, False, True, False, False, True, False, True]
    assert factors == pytest.approx([1 / 3] * 6 + [1 / 2] * 2)
    assert wrapper.optimizer_steps == 3


@pytest.mark.parametrize("length", [6, -1])
def test_without_a_remainder_every_group_is_whole(length):
    model = linear()
    wrapper = wrap(model, accumulative_counts=3)
    wrapper.initialize_count_status(model, 0, length)
    assert float(wrapper.scale_loss(torch.tensor(3.0))) == 1.0
    wrapper.initialize_count_status(model, 6, length)
    assert float(wrapper.scale_loss(torch.tensor(3.0))) == 1.0


def test_ranks_exchange_gradients_only_where_a_step_follows():
    class Wrapped(nn.Linear):
        entered = 0

        @contextmanager
        def no_sync(self):
            self.entered += 1
            yield

    model = Wrapped(3, 2)
    wrapper = wrap(model, accumulative_counts=3)
    wrapper.initialize_count_status(model, 0, 5)
    silent = []
    for _ in range(5):
        before = model.entered
        with wrapper.optim_context(model):
            loss = loss_of(model, DATA)
        silent.append(model.entered > before)
        wrapper.update_params(loss)
    assert silent == [True, True, False, True, False]


@pytest.mark.parametrize("clip_grad", [{"max_norm": 0.5}, 0.5, {"type": "norm", "max_norm": 0.5}])
def test_clipping_by_norm_records_the_norm_before_it(clip_grad):
    hub = MessageHub.get_instance("clipping")
    model, by_hand = linear(), linear()
    wrapper = wrap(model, clip_grad=clip_grad, momentum=0)
    before = weights(model)
    wrapper.update_params(loss_of(model, DATA) * 100)
    (loss_of(by_hand, DATA) * 100).backward()
    norm = nn.utils.clip_grad_norm_(by_hand.parameters(), 0.5)
    assert norm > 0.5
    for now, was, reference in zip(weights(model), before, by_hand.parameters(), strict=True):
        torch.testing.assert_close(now, was - 0.1 * reference.grad)
    assert hub.get_scalar("train/grad_norm").current() == pytest.approx(norm.item())


def test_the_norm_is_handed_over_as_a_tensor(monkeypatch):
    """Reading it here would make the host wait for the device in every iteration."""
    model = linear()
    wrapper = wrap(model, clip_grad=1.0)
    recorded = []
    monkeypatch.setattr(
        wrapper.message_hub, "update_scalar", lambda key, value: recorded.append((key, value))
    )
    wrapper.update_params(loss_of(model, DATA))
    [(key, value)] = recorded
    assert key == "train/grad_norm"
    assert isinstance(value, torch.Tensor)
    assert not value.requires_grad


def test_clipping_by_value():
    model = linear()
    wrapper = wrap(model, clip_grad=dict(type="value", clip_value=0.01), lr=1.0, momentum=0)
    before = weights(model)
    wrapper.update_params(loss_of(model, DATA) * 100)
    change = max((a - b).abs().max() for a, b in zip(weights(model), before, strict=True))
    assert change == pytest.approx(0.01, abs=1e-6)
    assert "train/grad_value" not in wrapper.message_hub.log_scalars


def test_parameters_without_gradient_are_not_clipped():
    model = linear()
    before = weights(model)
    wrapper = wrap(model, clip_grad=1.0)
    wrapper.step()
    assert all(map(torch.equal, weights(model), before))
    assert "train/grad_norm" not in wrapper.message_hub.log_scalars


@pytest.mark.parametrize(
    ("settings", "wrong"),
    [
        ({"accumulative_counts": 0}, "accumulative_counts is 0"),
        ({"accumulative_counts": 1.5}, "accumulative_counts is 1.5"),
        ({"clip_grad": {}}, "clip_grad is {}"),
        ({"clip_grad": [1]}, r"clip_grad is \[1\]"),
        ({"clip_grad": dict(type="norm")}, "has a type, but no argument"),
        ({"clip_grad": float("nan")}, "clip_grad has max_norm=nan"),
        ({"clip_grad": dict(type="max", max_norm=1)}, "clip_grad has type 'max'"),
    ],
)
def test_arguments_that_make_no_sense(settings, wrong):
    with pytest.raises(ValueError, match=wrong):
        wrap(linear(), **settings)


def test_something_that_is_no_optimizer():
    with pytest.raises(TypeError, match="has no parameter groups"):
        OptimWrapper(1)


def test_several_groups_come_with_a_virtual_one_of_the_defaults():
    model = linear()
    groups = [{"params": [model.weight]}, {"params": [model.bias], "lr": 0.01}]
    wrapper = OptimWrapper(torch.optim.SGD(groups, lr=0.1, momentum=0.9))
    assert len(wrapper.param_groups) == 3
    assert wrapper.param_groups[-1] is wrapper.base_param_settings
    assert wrapper.get_lr() == {"lr": [0.1, 0.01], "base_lr": [0.1]}
    assert wrapper.get_momentum() == {"momentum": [0.9, 0.9]}
    assert wrapper.defaults["lr"] == 0.1


def test_a_single_group_has_no_virtual_one():
    wrapper = wrap(linear())
    assert wrapper.base_param_settings is None
    assert wrapper.get_lr() == {"lr": [0.1]}
    adagrad = OptimWrapper(torch.optim.Adagrad(linear().parameters()))
    assert adagrad.get_momentum() == {"momentum": [0]}


def test_state_is_the_optimizers_and_the_default_settings():
    model = linear()
    groups = [{"params": [model.weight]}, {"params": [model.bias]}]
    wrapper = OptimWrapper(torch.optim.SGD(groups, lr=0.1, momentum=0.9))
    wrapper.update_params(loss_of(model, DATA))
    wrapper.base_param_settings["lr"] = 0.05
    state = wrapper.state_dict()
    assert set(state) == {"state", "param_groups", "base_param_settings"}
    wrapper.base_param_settings["lr"] = 0.7
    assert state["base_param_settings"]["lr"] == 0.05

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again = OptimWrapper(torch.optim.SGD(groups, lr=3.0))
    again.load_state_dict(saved)
    assert again.get_lr() == {"lr": [0.1, 0.1], "base_lr": [0.05]}
    assert "base_param_settings" in saved, "the dict that was passed in stays as it was"


def run(wrapper, model, iterations, data):
    for iteration in iterations:
        wrapper.update_params(loss_of(model, data[iteration]))


def test_interrupted_inside_a_group_it_continues_exactly():
    data = torch.randn(11, 4, 3, generator=torch.Generator().manual_seed(2))
    model = linear()
    whole = wrap(model, accumulative_counts=4)
    whole.initialize_count_status(model, 0, 11)
    run(whole, model, range(11), data)

    first = linear()
    before = wrap(first, accumulative_counts=4)
    before.initialize_count_status(first, 0, 11)
    run(before, first, range(6), data)
    file = io.BytesIO()
    torch.save([first.state_dict(), before.state_dict(), before.accumulation_state_dict()], file)
    run(before, first, range(6, 11), data)

    file.seek(0)
    model_state, state, accumulated = torch.load(file, weights_only=True)
    second = linear()
    second.load_state_dict(model_state)
    after = wrap(second, accumulative_counts=4)
    after.load_state_dict(state)
    after.initialize_count_status(second, 6, 11)
    after.load_accumulation_state_dict(accumulated)
    run(after, second, range(6, 11), data)
    for ours, reference in zip(weights(second), weights(model), strict=True):
        assert torch.equal(ours, reference)
    assert (after.micro_steps, after.optimizer_steps) == (11, 3)


def test_between_groups_there_are_no_gradients_to_save():
    model = linear()
    wrapper = wrap(model, accumulative_counts=2)
    assert wrapper.accumulation_state_dict() == {}
    wrapper.update_params(loss_of(model, DATA))
    state = wrapper.accumulation_state_dict()
    assert set(state["gradients"]) == {"0", "1"}
    assert state["gradients"]["0"].data_ptr() != model.weight.grad.data_ptr()
    wrapper.update_params(loss_of(model, DATA))
    assert wrapper.accumulation_state_dict() == {"inner_count": 2, "gradients": {}, "counts": {}}
    wrapper.load_accumulation_state_dict({})


def test_gradients_that_another_step_has_left_are_saved_unless_they_are_zero():
    model = linear()
    wrapper = wrap(model)
    loss_of(model, DATA).backward()
    model.bias.grad.zero_()
    state = wrapper.accumulation_state_dict()
    assert list(state["gradients"]) == ["0"]
    again = linear()
    wrap(again).load_accumulation_state_dict(state)
    assert torch.equal(again.weight.grad, model.weight.grad)
    assert again.bias.grad is None


def test_gradients_of_another_model_are_refused():
    model = linear()
    wrapper = wrap(model, accumulative_counts=2)
    wrapper.update_params(loss_of(model, DATA))
    state = wrapper.accumulation_state_dict()
    with pytest.raises(ValueError, match="belongs to no parameter"):
        wrap(nn.Linear(5, 2), accumulative_counts=2).load_accumulation_state_dict(state)


def messages(caplog, name, act):
    from mainspring.logging import MMLogger

    logger = MMLogger.get_instance(name)
    logger.addHandler(caplog.handler)
    act()
    return [record.getMessage() for record in caplog.records]


def test_resuming_inside_a_group_without_its_gradients_is_warned_about(caplog):
    model = linear()
    wrapper = wrap(model, accumulative_counts=4)

    def resume():
        wrapper.initialize_count_status(model, 6, 12)
        wrapper.update_params(loss_of(model, DATA))
        wrapper.update_params(loss_of(model, DATA))

    said = messages(caplog, "resuming", resume)
    assert [text for text in said if "gradients of the first 2" in text] == said


@pytest.mark.parametrize("counts", [1, 2])
def test_gradients_that_another_loss_has_left_are_said_once(counts, caplog):
    model = linear()
    wrapper = wrap(model, accumulative_counts=counts)

    def train():
        for _ in range(6):
            wrapper.update_params(loss_of(model, DATA))  # clears its own when the group is complete
            loss_of(model, DATA).backward()

    said = messages(caplog, "leaving gradients", train)
    assert len(said) == 1
    assert "2 of 2 parameters of SGD had gradients before the loss" in said[0]


def test_gradients_of_one_step_from_several_losses_are_nobody_elses(caplog):
    model = linear()
    wrapper = wrap(model)

    def train():
        for _ in range(3):
            wrapper.backward(loss_of(model, DATA))
            wrapper.update_params(loss_of(model, DATA), zero_kwargs={"set_to_none": False})

    assert not messages(caplog, "several losses", train)


def test_accumulating_with_batch_norm_is_warned_about(caplog):
    wrapper = wrap(linear(), accumulative_counts=4)
    model = nn.Sequential(nn.BatchNorm1d(2))
    caplog.set_level(logging.WARNING)
    said = messages(caplog, "batch norm", lambda: wrapper.initialize_count_status(model, 0, 8))
    assert "batch norm sees each micro-batch alone" in said[0]


def test_arguments_for_step_and_zero_grad():
    class Recording(torch.optim.SGD):
        calls = ()

        def step(self, closure=None):
            self.calls += (closure,)

        def zero_grad(self, set_to_none=True):
            self.calls += (set_to_none,)

    model = linear()
    optimizer = Recording(model.parameters(), lr=0.1)
    OptimWrapper(optimizer).update_params(
        loss_of(model, DATA), step_kwargs={"closure": None}, zero_kwargs={"set_to_none": False}
    )
    assert optimizer.calls == (None, False)


def test_it_is_built_by_name_and_says_what_it_is():
    optimizer = torch.optim.SGD(linear().parameters(), lr=0.1)
    made = OPTIM_WRAPPERS.build(dict(type="OptimWrapper", optimizer=optimizer, clip_grad=2))
    assert repr(made).startswith(
        "OptimWrapper(accumulative_counts=1, clip_grad={'max_norm': 2.0}, optimizer=SGD"
    )


@pytest.mark.parametrize(
    ("gradient", "steps"), [(1.0, True), (3e38, True), (float("inf"), False), (float("nan"), False)]
)
def test_only_steps_whose_gradients_are_no_numbers_are_left_out(gradient, steps):
    parameter = torch.nn.Parameter(torch.zeros(2))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=1e-38))
    wrapper.skips_non_finite = True
    wrapper.update_params((parameter * gradient).sum())
    assert bool(parameter.detach().any()) is steps
    assert parameter.isfinite().all()
