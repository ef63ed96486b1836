"""Several optimizers of one model."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from mainspring.optim import OptimWrapper, OptimWrapperDict, StepLR


def wrap(lr, groups=1, **settings):
    parameters = [{"params": [nn.Parameter(torch.ones(1))]} for _ in range(groups)]
    return OptimWrapper(torch.optim.SGD(parameters, lr=lr, momentum=0.9), **settings)


@pytest.fixture
def pair():
    return OptimWrapperDict(generator=wrap(0.1), discriminator=wrap(0.2, groups=2))


def test_it_is_a_mapping_of_wrappers(pair):
    assert list(pair.keys()) == list(pair) == ["generator", "discriminator"]
    assert len(pair) == 2
    assert "generator" in pair
    assert pair["generator"] is next(iter(pair.values())) is dict(pair.items())["generator"]
    assert isinstance(pair, OptimWrapper)


def test_what_belongs_to_one_optimizer_is_refused_by_name(pair):
    for call in (
        lambda: pair.update_params(torch.ones(())),
        lambda: pair.backward(torch.ones(())),
        pair.step,
        pair.should_update,
        pair.should_sync,
        lambda: pair.scale_loss(torch.ones(())),
        lambda: pair.optim_context(nn.Linear(1, 1)),
    ):
        with pytest.raises(NotImplementedError, match=r"optim_wrapper\[name\].* of generator, dis"):
            call()


def test_what_is_common_to_all(pair):
    for wrapper in pair.values():
        wrapper.backward(wrapper.param_groups[0]["params"][0].sum())
    pair.zero_grad()
    assert all(p.grad is None for w in pair.values() for p in w.param_groups[0]["params"])
    pair.initialize_count_status(nn.Linear(1, 1), 5, 10)
    assert pair.get_lr() == {
        "generator.lr": [0.1],
        "discriminator.lr": [0.2, 0.2],
        "discriminator.base_lr": [0.2],
    }
    assert pair.get_momentum() == {
        "generator.momentum": [0.9],
        "discriminator.momentum": [0.9, 0.9],
    }
    assert {name: len(groups) for name, groups in pair.param_groups.items()} == {
        "generator": 1,
        "discriminator": 3,
    }
    assert pair.defaults["discriminator"]["lr"] == 0.2
    assert "generator" in repr(pair)


def test_state_by_name(pair):
    StepLR(pair["generator"], step_size=1)
    state = pair.state_dict()
    again = OptimWrapperDict(generator=wrap(1.0), discriminator=wrap(2.0, groups=2))
    again.load_state_dict(state)
    assert again.get_lr() == pair.get_lr()
    with pytest.raises(KeyError, match="there is no optimizer 'critic'"):
        again.load_state_dict({"critic": {}})


def test_gradients_inside_a_group_by_name():
    pair = OptimWrapperDict(a=wrap(0.1, accumulative_counts=3), b=wrap(0.1))
    assert pair.accumulation_state_dict() == {}
    pair["a"].update_params(pair["a"].param_groups[0]["params"][0].sum())
    state = pair.accumulation_state_dict()
    assert list(state) == ["a"]
    again = OptimWrapperDict(a=wrap(0.1, accumulative_counts=3), b=wrap(0.1))
    again.load_accumulation_state_dict(state)
    assert again["a"].inner_count == 1
    assert again["a"].param_groups[0]["params"][0].grad.item() == pytest.approx(1 / 3)


def test_only_wrappers_are_taken():
    with pytest.raises(TypeError, match="a is a int, not an OptimWrapper"):
        OptimWrapperDict(a=1)
