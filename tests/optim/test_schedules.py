"""What each schedule makes of a learning rate, against closed forms and torch's own schedulers."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.optim import lr_scheduler as torch_schedulers

from mainspring.optim import (
    ConstantLR,
    CosineAnnealingLR,
    CosineRestartLR,
    ExponentialLR,
    LinearLR,
    MultiStepLR,
    OneCycleLR,
    PolyLR,
    StepLR,
)

few = settings(deadline=None, max_examples=40)
BASE = 0.4


def sgd(*rates):
    groups = [{"params": [torch.nn.Parameter(torch.ones(1))], "lr": rate} for rate in rates]
    return torch.optim.SGD(groups, lr=BASE)


def rates(make, steps, base=BASE):
    """The learning rate in each of some steps."""
    optimizer = sgd(base)
    schedulers = make(optimizer)
    if not isinstance(schedulers, list):
        schedulers = [schedulers]
    seen = []
    for _ in range(steps):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        for scheduler in schedulers:
            scheduler.step()
    return seen


factors = st.floats(0.01, 1.0)


@few
@given(factor=factors, length=st.integers(2, 20))
def test_constant(factor, length):
    expected = [BASE * factor] * (length - 1) + [BASE] * 5
    made = rates(lambda o: ConstantLR(o, factor=factor, end=length), length + 4)
    assert made == pytest.approx(expected)


@few
@given(start=factors, final=factors, length=st.integers(2, 20))
def test_linear(start, final, length):
    def closed(step):
        share = min(step, length - 1) / (length - 1)
        return BASE * (start + (final - start) * share)

    made = rates(
        lambda o: LinearLR(o, start_factor=start, end_factor=final, end=length), length + 5
    )
    assert made == pytest.approx([closed(step) for step in range(length + 5)])


@few
@given(gamma=st.floats(0.5, 1.2))
def test_exponential(gamma):
    expected = [BASE * gamma**step for step in range(20)]
    assert rates(lambda o: ExponentialLR(o, gamma=gamma), 20) == pytest.approx(expected)


@few
@given(size=st.integers(1, 7), gamma=factors)
def test_step(size, gamma):
    expected = [BASE * gamma ** (step // size) for step in range(25)]
    made = rates(lambda o: StepLR(o, step_size=size, gamma=gamma), 25)
    assert made == pytest.approx(expected)


@few
@given(milestones=st.lists(st.integers(1, 15), min_size=1, max_size=5), gamma=factors)
def test_multi_step_counts_repeated_milestones_twice(milestones, gamma):
    expected = [BASE * gamma ** sum(m <= step for m in milestones) for step in range(18)]
    made = rates(lambda o: MultiStepLR(o, milestones=milestones, gamma=gamma), 18)
    assert made == pytest.approx(expected)


@few
@given(power=st.floats(0.5, 3), minimum=st.floats(0, 0.1), length=st.integers(3, 30))
def test_poly_reaches_its_minimum_in_the_last_active_step(power, minimum, length):
    total = length - 1
    expected = [(BASE - minimum) * (1 - s / total) ** power + minimum for s in range(length)]
    made = rates(lambda o: PolyLR(o, power=power, eta_min=minimum, end=length), length)
    assert made == pytest.approx(expected, abs=1e-12)
    assert made[-1] == pytest.approx(minimum)


@few
@given(period=st.integers(1, 12), minimum=st.floats(0, 0.1))
def test_cosine_goes_down_and_up_again(period, minimum):
    def closed(step):
        return minimum + (BASE - minimum) * (1 + math.cos(math.pi * step / period)) / 2

    made = rates(lambda o: CosineAnnealingLR(o, T_max=period, eta_min=minimum), 3 * period + 1)
    assert made == pytest.approx([closed(step) for step in range(3 * period + 1)], abs=1e-9)


def test_cosine_minimum_as_a_share_of_each_group():
    optimizer = sgd(1.0, 0.1)
    scheduler = CosineAnnealingLR(optimizer, T_max=5, eta_min_ratio=0.1)
    for _ in range(5):
        optimizer.step()
        scheduler.step()
    assert scheduler.get_last_value() == pytest.approx([0.1, 0.01])


def test_cosine_lasts_as_long_as_it_is_active_unless_told_otherwise():
    made = rates(lambda o: CosineAnnealingLR(o, begin=2, end=12), 14)
    assert made[:3] == [BASE] * 3
    expected = BASE * (1 + math.cos(math.pi * 9 / 10)) / 2
    # Outside its range the value stays where it was left.
    assert made[11:] == pytest.approx([expected] * 3)


@few
@given(
    periods=st.lists(st.integers(1, 6), min_size=1, max_size=4),
    minimum=st.floats(0, 0.05),
    data=st.data(),
)
def test_cosine_restarts_at_its_weights(periods, minimum, data):
    weights = data.draw(st.lists(st.floats(0.2, 1), min_size=len(periods), max_size=len(periods)))
    expected = [
        minimum + (BASE * weight - minimum) * (1 + math.cos(math.pi * step / period)) / 2
        for period, weight in zip(periods, weights, strict=True)
        for step in range(period)
    ]
    made = rates(
        lambda o: CosineRestartLR(o, periods, restart_weights=weights, eta_min=minimum),
        sum(periods),
    )
    assert made == pytest.approx(expected, abs=1e-9)


def test_a_cosine_that_ran_out_of_periods_keeps_its_value():
    made = rates(lambda o: CosineRestartLR(o, [3], eta_min=0.0), 6)
    assert made[3:] == [made[2]] * 3


@few
@given(
    total=st.integers(10, 40),
    share=st.sampled_from([0.25, 0.3, 0.5]),
    strategy=st.sampled_from(["cos", "linear"]),
    three_phase=st.booleans(),
)
def test_one_cycle_is_torchs(total, share, strategy, three_phase):
    settings = dict(total_steps=total, pct_start=share, three_phase=three_phase)
    optimizer = sgd(BASE)
    reference = torch_schedulers.OneCycleLR(
        optimizer,
        max_lr=BASE,
        cycle_momentum=False,
        anneal_strategy=strategy,
        **settings,
    )
    expected = []
    for step in range(total):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if step < total - 1:
            reference.step()
    made = rates(lambda o: OneCycleLR(o, eta_max=BASE, anneal_strategy=strategy, **settings), total)
    assert made == pytest.approx(expected)


@pytest.mark.parametrize(
    ("ours", "torchs"),
    [
        (
            lambda o: ConstantLR(o, factor=0.3, end=6),
            lambda o: torch_schedulers.ConstantLR(o, factor=0.3, total_iters=5),
        ),
        (
            lambda o: LinearLR(o, start_factor=0.1, end=9),
            lambda o: torch_schedulers.LinearLR(o, start_factor=0.1, total_iters=8),
        ),
        (
            lambda o: MultiStepLR(o, milestones=[3, 3, 8]),
            lambda o: torch_schedulers.MultiStepLR(o, milestones=[3, 3, 8]),
        ),
        (lambda o: StepLR(o, step_size=4), lambda o: torch_schedulers.StepLR(o, step_size=4)),
        (
            lambda o: ExponentialLR(o, gamma=0.9),
            lambda o: torch_schedulers.ExponentialLR(o, gamma=0.9),
        ),
        (
            lambda o: CosineAnnealingLR(o, T_max=7, eta_min=0.01),
            lambda o: torch_schedulers.CosineAnnealingLR(o, T_max=7, eta_min=0.01),
        ),
        (
            lambda o: PolyLR(o, power=0.9, end=16),
            lambda o: torch_schedulers.PolynomialLR(o, total_iters=15, power=0.9),
        ),
    ],
)
def test_the_same_as_torchs_scheduler(ours, torchs):
    assert rates(ours, 25) == pytest.approx(rates(torchs, 25), abs=1e-15)


@few
@given(warm=st.integers(2, 8), start=st.floats(0.01, 0.9), total=st.integers(12, 25))
def test_schedules_compose_by_multiplication(warm, start, total):
    def warm_cosine(optimizer):
        return [
            LinearLR(optimizer, start_factor=start, end=warm),
            CosineAnnealingLR(optimizer, T_max=total, eta_min=0.0),
        ]

    def closed(step):
        factor = start + (1 - start) * min(step, warm - 1) / (warm - 1)
        return BASE * factor * (1 + math.cos(math.pi * step / total)) / 2

    made = rates(warm_cosine, total)
    assert made == pytest.approx([closed(step) for step in range(total)], abs=1e-9)


@few
@given(begin=st.integers(0, 10), length=st.integers(1, 10))
def test_a_schedule_acts_from_begin_on_and_before_end(begin, length):
    made = rates(lambda o: ExponentialLR(o, gamma=0.5, begin=begin, end=begin + length), 25)
    expected = [BASE * 0.5 ** max(0, min(step - begin, length - 1)) for step in range(25)]
    assert made == pytest.approx(expected)


def test_every_group_keeps_its_proportion():
    optimizer = sgd(1.0, 0.1, 0.01)
    scheduler = StepLR(optimizer, step_size=1, gamma=0.5)
    optimizer.step()
    scheduler.step()
    assert scheduler.get_last_value() == pytest.approx([0.5, 0.05, 0.005])
    assert [group["initial_lr"] for group in optimizer.param_groups] == [1.0, 0.1, 0.01]


def test_a_line_may_begin_at_nothing():
    expected = [0, 0.08, 0.16, 0.24, 0.32, 0.32]
    made = rates(lambda o: LinearLR(o, start_factor=0, end_factor=0.8, end=5), 6)
    assert made == pytest.approx(expected)
