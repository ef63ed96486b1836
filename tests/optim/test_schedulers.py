"""Rules that hold for every scheduler: construction, conversion, state, order of calls."""

from __future__ import annotations

import inspect
import io
from collections import Counter

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring import optim
from mainspring.optim import OptimWrapper, _ParamScheduler
from mainspring.optim.scheduler import LRSchedulerMixin, MomentumSchedulerMixin
from mainspring.registry import PARAM_SCHEDULERS

few = settings(deadline=None, max_examples=40)

NEEDED = {
    "Constant": {},
    "Linear": {"end": 10},
    "MultiStep": {"milestones": [2, 2, 5]},
    "Step": {"step_size": 3},
    "Exponential": {"gamma": 0.9},
    "CosineAnnealing": {"T_max": 8},
    "Poly": {"end": 12},
    "CosineRestart": {"periods": [4, 8], "restart_weights": [1, 0.5], "eta_min": 0.0},
    "OneCycle": {"eta_max": 0.3, "total_steps": 12},
    "ReduceOnPlateau": {"patience": 0},
}
FAMILIES = [
    (kind, suffix)
    for kind in NEEDED
    for suffix in ("LR", "Momentum")
    if (kind, suffix) != ("OneCycle", "Momentum")
]


def sgd(groups=1):
    parameters = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(groups)]
    return torch.optim.SGD(parameters, lr=0.1, momentum=0.9)


def adam():
    return torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], lr=0.1, betas=(0.8, 0.95))


def advance(optimizer, scheduler, steps=1, loss=1.0):
    for _ in range(steps):
        optimizer.step()
        if scheduler.need_val_args:
            scheduler.step({"loss": loss})
        else:
            scheduler.step()


@pytest.mark.parametrize(("kind", "suffix"), FAMILIES)
def test_state_goes_through_a_safe_checkpoint_and_continues_exactly(kind, suffix):
    def build():
        optimizer = sgd(2)
        scheduler = PARAM_SCHEDULERS.build(
            dict(type=kind + suffix, **NEEDED[kind]), default_args=dict(optimizer=optimizer)
        )
        return optimizer, scheduler

    optimizer, scheduler = build()
    advance(optimizer, scheduler, 4)
    file = io.BytesIO()
    torch.save({"o": optimizer.state_dict(), "s": scheduler.state_dict()}, file)
    advance(optimizer, scheduler, 5)

    file.seek(0)
    saved = torch.load(file, weights_only=True)
    again, resumed = build()
    again.load_state_dict(saved["o"])
    resumed.load_state_dict(saved["s"])
    advance(again, resumed, 5)
    assert resumed.get_last_value() == scheduler.get_last_value()
    assert resumed.state_dict() == scheduler.state_dict()
    assert again.param_groups[0]["lr"] == optimizer.param_groups[0]["lr"]


def test_mmengines_own_states_load():
    """They hold a Counter, and a function in the case of one cycle."""
    optimizer = sgd()
    scheduler = optim.MultiStepLR(optimizer, milestones=[100])
    scheduler.load_state_dict(
        {
            "milestones": Counter({2: 2}),
            "gamma": 0.5,
            "param_name": "lr",
            "begin": 0,
            "end": 1000000000,
            "by_epoch": True,
            "base_values": [0.1],
            "last_step": 1,
            "_global_step": 1,
            "verbose": False,
            "_last_value": [0.1],
        }
    )
    advance(optimizer, scheduler)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.025)

    cycle = optim.OneCycleLR(sgd(), eta_max=0.3, total_steps=12)
    expected = optim.OneCycleLR(sgd(), eta_max=0.3, total_steps=12)
    cycle.load_state_dict({**expected.state_dict(), "anneal_func": len, "last_step": 5})
    assert "anneal_func" not in cycle.state_dict()
    advance(cycle.optimizer, cycle)
    assert cycle.last_step == 6


def test_state_has_the_names_that_mmengine_reads():
    state = optim.OneCycleLR(sgd(), eta_max=0.3, total_steps=10).state_dict()
    assert state["_schedule_phases"] == [
        {"end_step": 2.0, "start_lr": "initial_lr", "end_lr": "max_lr"},
        {"end_step": 9, "start_lr": "max_lr", "end_lr": "min_lr"},
    ]
    assert {"eta_max", "div_factor", "final_div_factor", "total_steps"} <= set(state)
    plateau = optim.ReduceOnPlateauLR(sgd()).state_dict()
    assert (plateau["best"], plateau["min_values"], plateau["last_step"]) == (10**9, [0.0], -1)


@few
@given(
    length=st.integers(1, 20),
    begin=st.sampled_from([0, 1, 0.5, 0.25]),
    end=st.sampled_from([3, 4.5, 10]),
)
def test_conversion_from_epochs_to_iterations(length, begin, end):
    scheduler = PARAM_SCHEDULERS.build(
        dict(type="LinearLR", begin=begin, end=end, convert_to_iter_based=True, by_epoch=True),
        default_args=dict(optimizer=sgd(), epoch_length=length),
    )
    assert (scheduler.begin, scheduler.end) == (int(begin * length), int(end * length))
    assert scheduler.by_epoch is False
    assert scheduler.total_iters == scheduler.end - scheduler.begin - 1


@pytest.mark.parametrize(
    ("kind", "written", "attribute", "converted"),
    [
        ("MultiStepLR", {"milestones": [1, 2.5]}, "milestones", Counter([10, 25])),
        ("MultiStepLR", {"milestones": [0.29]}, "milestones", Counter([3])),
        ("StepLR", {"step_size": 2}, "step_size", 20),
        ("CosineAnnealingLR", {"T_max": 3}, "T_max", 30),
        ("CosineAnnealingLR", {"T_max": 2.55}, "T_max", 25.5),
        ("CosineRestartLR", {"periods": [1, 2], "restart_weights": [1, 1], "eta_min": 0},
         "periods", [10, 20]),
        ("OneCycleLR", {"eta_max": 1.0, "total_steps": 4}, "total_steps", 40),
    ],
)  # fmt: skip
def test_what_counts_epochs_is_converted_too(kind, written, attribute, converted):
    made = getattr(optim, kind).build_iter_from_epoch(sgd(), epoch_length=10, **written)
    assert getattr(made, attribute) == converted
    assert made.end == 10**9


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"by_epoch": False, "epoch_length": 3}, "only a schedule by epoch"),
        ({"epoch_length": 0}, "at least one iteration, not 0"),
        ({}, "at least one iteration, not None"),
    ],
)
def test_conversion_that_cannot_be(arguments, wrong):
    with pytest.raises(ValueError, match=wrong):
        optim.StepLR.build_iter_from_epoch(sgd(), step_size=1, **arguments)


def test_the_virtual_group_of_a_wrapper_is_scheduled_too():
    wrapper = OptimWrapper(sgd(2))
    scheduler = optim.ExponentialLR(wrapper, gamma=0.5)
    assert scheduler.base_values == [0.1] * 3
    wrapper.step()
    scheduler.step()
    assert wrapper.get_lr() == {"lr": [0.05, 0.05], "base_lr": [0.05]}


def test_momentum_of_optimizers_like_adam_is_their_first_beta():
    optimizer = adam()
    scheduler = optim.ExponentialMomentum(optimizer, gamma=0.5)
    advance(optimizer, scheduler)
    assert optimizer.param_groups[0]["betas"] == (0.4, 0.95)
    assert OptimWrapper(optimizer).get_momentum() == {"momentum": [0.4]}


def test_momentum_where_there_is_none():
    optimizer = torch.optim.Adagrad([torch.nn.Parameter(torch.ones(1))])
    with pytest.raises(ValueError, match="neither momentum nor betas"):
        optim.StepMomentum(optimizer, step_size=1)


def test_any_parameter_of_the_groups_can_be_scheduled():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.ones(1))], lr=0.1, weight_decay=0.5)
    scheduler = optim.StepParamScheduler(optimizer, "weight_decay", step_size=1, gamma=0.1)
    advance(optimizer, scheduler, 2)
    assert optimizer.param_groups[0]["weight_decay"] == pytest.approx(0.005)


def test_downstream_schedulers_are_made_of_a_base_and_a_mixin():
    class QuadraticWarmup(_ParamScheduler):
        def __init__(self, optimizer, param_name, total, **kwargs):
            self.total = total
            super().__init__(optimizer, param_name, **kwargs)

        def _get_value(self):
            share = min(1.0, (self.last_step + 1) / self.total)
            return [base * share**2 for base in self.base_values]

    class QuadraticWarmupLR(LRSchedulerMixin, QuadraticWarmup):
        pass

    class QuadraticWarmupMomentum(MomentumSchedulerMixin, QuadraticWarmup):
        pass

    optimizer = sgd()
    warmup = QuadraticWarmupLR(optimizer, total=2)
    momentum = QuadraticWarmupMomentum(optimizer, total=2)
    group = optimizer.param_groups[0]
    assert (group["lr"], group["momentum"]) == pytest.approx((0.025, 0.225))
    optimizer.step()
    warmup.step()
    momentum.step()
    assert (group["lr"], group["momentum"]) == pytest.approx((0.1, 0.9))


def test_stepping_before_the_optimizer_is_warned_about_once():
    scheduler = optim.StepLR(sgd(), step_size=1)
    with pytest.warns(UserWarning, match="call optimizer.step"):
        scheduler.step()
    scheduler.step()


def test_accumulating_gradients_is_using_the_optimizer():
    parameter = torch.nn.Parameter(torch.ones(1))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=0.1), accumulative_counts=4)
    scheduler = optim.StepLR(wrapper, step_size=1, by_epoch=False)
    wrapper.update_params(parameter.sum())
    scheduler.step()
    assert scheduler.last_step == 1


def test_an_unused_wrapper_is_noticed_as_well():
    scheduler = optim.StepLR(OptimWrapper(sgd()), step_size=1)
    with pytest.warns(UserWarning, match="call optimizer.step"):
        scheduler.step()


def test_continuing_without_a_checkpoint_is_refused():
    with pytest.raises(KeyError, match="initial_lr is not in parameter group 0"):
        optim.StepLR(sgd(), step_size=1, last_step=4)


def test_verbose_says_each_value(capfd):
    optim.StepLR(sgd(), step_size=1, verbose=True)
    assert "lr of group 0 is set to 1.0000e-01" in "".join(capfd.readouterr())


@pytest.mark.parametrize(
    ("kind", "arguments", "wrong"),
    [
        ("StepLR", {"step_size": 1, "begin": 3, "end": 3}, "acts from 3 to 3"),
        ("StepLR", {"step_size": 1, "begin": -1}, "acts from -1"),
        ("ConstantLR", {"factor": 2}, "factor is 2"),
        ("LinearLR", {"start_factor": -1}, "start_factor is -1"),
        ("LinearLR", {"last_step": 1.5}, "last_step is 1.5"),
        ("LinearLR", {"last_step": -2}, "last_step is -2"),
        ("ReduceOnPlateauLR", {"threshold": -1.0}, "threshold is -1.0"),
        ("LinearLR", {"end_factor": 1.5}, "end_factor is 1.5"),
        ("CosineAnnealingLR", {"eta_min": 0, "eta_min_ratio": 0}, "both of eta_min"),
        ("CosineRestartLR", {"periods": [1]}, "neither of eta_min"),
        ("CosineRestartLR", {"periods": [1, 2], "eta_min": 0}, "2 periods and 1 restart_weights"),
        ("OneCycleLR", {"total_steps": 0}, "total_steps is 0"),
        ("OneCycleLR", {"total_steps": 5, "pct_start": 2}, "pct_start is 2"),
        ("OneCycleLR", {"total_steps": 5, "anneal_strategy": "log"}, "anneal_strategy is 'log'"),
        ("OneCycleParamScheduler", {"param_name": "momentum"}, "not of momentum"),
    ],
)
def test_arguments_that_make_no_sense(kind, arguments, wrong):
    with pytest.raises(ValueError, match=wrong):
        getattr(optim, kind)(sgd(), **arguments)


def test_only_an_optimizer_can_be_scheduled():
    with pytest.raises(TypeError, match="not a int"):
        optim.StepLR(1, step_size=1)


def test_every_scheduler_is_registered_under_its_name():
    names = {kind + suffix for kind, suffix in FAMILIES}
    names |= {f"{kind}ParamScheduler" for kind in NEEDED}
    assert names <= set(PARAM_SCHEDULERS.module_dict)
    assert names <= set(optim.__all__)


@pytest.mark.parametrize("name", [name for name in optim.__all__ if name.endswith("Momentum")])
def test_a_momentum_schedule_takes_what_that_of_the_learning_rate_takes(name):
    twin = getattr(optim, name.replace("Momentum", "LR"))
    of_any = getattr(optim, name.replace("Momentum", "ParamScheduler"))
    own = inspect.signature(getattr(optim, name)).parameters
    assert list(own.values()) == list(inspect.signature(twin).parameters.values())
    those = inspect.signature(of_any).parameters.values()
    assert [p for p in those if p.name != "param_name"] == list(own.values())


@pytest.mark.parametrize("wrap", [lambda optimizer: optimizer, optim.OptimWrapper])
def test_a_schedule_made_later_is_stepped_after_the_optimizer_too(wrap):
    weight = torch.zeros(1, requires_grad=True)
    used = wrap(torch.optim.SGD([weight], lr=0.4))
    if isinstance(used, optim.OptimWrapper):
        used.update_params(weight.sum())
    else:
        used.step()
    used.param_groups[0]["initial_lr"] = 0.4
    resumed = optim.LinearLR(used, last_step=3)
    with pytest.warns(UserWarning, match="before the optimizer did"):
        resumed.step()


@pytest.mark.parametrize("schedule", [optim.LinearLR, optim.ReduceOnPlateauLR])
def test_what_is_no_optimizer_is_refused(schedule):
    with pytest.raises(TypeError, match="not a str") as error:
        schedule("SGD")
    assert isinstance(error.value, AssertionError)


def test_a_metric_that_is_not_there_is_a_key_error_as_in_mmengine():
    with pytest.raises(KeyError, match="did you mean 'loss_foo'"):
        optim.ReduceOnPlateauLR(sgd(), monitor="loss").step({"loss_foo": 1.0})
