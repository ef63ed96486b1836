"""The values that schedules will give are those that they give in training."""

import copy

import pytest
import torch

from mainspring.optim import (
    CosineAnnealingLR,
    LinearLR,
    OptimWrapper,
    OptimWrapperDict,
    ReduceOnPlateauLR,
    StepMomentum,
)
from mainspring.optim.scheduler.preview import planned_values


def wrapper():
    net = torch.nn.Linear(2, 2)
    groups = [dict(params=[net.weight]), dict(params=[net.bias], lr=0.2)]
    return OptimWrapper(torch.optim.SGD(groups, lr=0.1, momentum=0.9))


def schedules(optimized):
    return [
        LinearLR(optimized, start_factor=0.1, end=5, by_epoch=False),
        CosineAnnealingLR(optimized, T_max=10, by_epoch=True),
        StepMomentum(optimized, step_size=4, by_epoch=True),
    ]


@pytest.mark.filterwarnings("ignore:the scheduler stepped before")
def test_they_are_those_of_a_training_and_nothing_changes():
    ours = wrapper()
    planned = schedules(ours)
    before = copy.deepcopy([item.state_dict() for item in planned])
    found = planned_values(ours, planned, max_iters=100, epoch_length=10, points=100)
    assert [item.state_dict() for item in planned] == before
    assert ours.param_groups[1]["lr"] == pytest.approx(0.02)

    trained = wrapper()
    by_iter, *by_epoch = schedules(trained)
    seen = []
    for iteration in range(100):
        seen.append([(group["lr"], group["momentum"]) for group in trained.param_groups])
        by_iter.step()
        for scheduler in by_epoch if iteration % 10 == 9 else ():
            scheduler.step()
    assert found.iterations == list(range(100))
    assert found.values == {
        "lr": [groups[0][0] for groups in seen],
        "lr (group 1)": [groups[1][0] for groups in seen],
        "momentum": [groups[0][1] for groups in seen],
    }


def test_few_points_of_a_long_run_by_epochs_take_no_time():
    ours = wrapper()
    planned = [CosineAnnealingLR(ours, T_max=10)]
    found = planned_values(ours, planned, max_iters=10**7, epoch_length=10**6, points=11)
    assert (found.iterations[0], found.iterations[-1], len(found.iterations)) == (0, 10**7 - 1, 11)
    assert found.values["lr"][0] == 0.1
    assert found.values["lr"] == sorted(found.values["lr"], reverse=True)


def test_several_optimizers_and_schedules_that_wait_for_metrics():
    both = OptimWrapperDict(generator=wrapper(), critic=wrapper())
    planned = {"generator": [ReduceOnPlateauLR(both["generator"], monitor="loss")]}
    found = planned_values(both, planned, max_iters=3, epoch_length=None)
    assert found.values == {
        f"{owner}.lr{group}": [rate] * 3
        for owner in ("generator", "critic")
        for group, rate in (("", 0.1), (" (group 1)", 0.2))
    }


def test_without_schedules_the_rate_stays():
    assert planned_values(wrapper(), None, max_iters=1).values["lr"] == [0.1]
