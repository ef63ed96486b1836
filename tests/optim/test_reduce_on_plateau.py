"""Lowering a parameter when a metric stops improving, compared with torch's scheduler."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.optim import ReduceOnPlateauLR, ReduceOnPlateauMomentum

few = settings(deadline=None, max_examples=40)


def sgd(groups=1):
    parameters = [{"params": [torch.nn.Parameter(torch.ones(1))]} for _ in range(groups)]
    return torch.optim.SGD(parameters, lr=1.0, momentum=0.8)


@few
@given(
    metrics=st.lists(st.floats(0.1, 2.0), min_size=1, max_size=30),
    rule=st.sampled_from(["less", "greater"]),
    threshold_rule=st.sampled_from(["rel", "abs"]),
    patience=st.integers(0, 3),
    cooldown=st.integers(0, 3),
    factor=st.sampled_from([0.1, 0.5]),
)
def test_the_same_as_torchs(metrics, rule, threshold_rule, patience, cooldown, factor):
    common = dict(factor=factor, patience=patience, cooldown=cooldown, threshold=0.05, eps=1e-8)
    ours_optimizer, torchs_optimizer = sgd(), sgd()
    ours = ReduceOnPlateauLR(ours_optimizer, rule=rule, threshold_rule=threshold_rule, **common)
    torchs = torch.optim.lr_scheduler.ReduceLROnPlateau(
        torchs_optimizer,
        mode={"less": "min", "greater": "max"}[rule],
        threshold_mode=threshold_rule,
        **common,
    )
    for value in metrics:
        for optimizer in (ours_optimizer, torchs_optimizer):
            optimizer.step()
        ours.step({"loss": value})
        torchs.step(value)
        assert ours.get_last_value() == [torchs_optimizer.param_groups[0]["lr"]]
        assert ours.num_bad_epochs == torchs.num_bad_epochs
        assert ours.cooldown_counter == torchs.cooldown_counter


def test_epochs_decide_when_it_acts_and_validations_on_what():
    optimizer = sgd()
    scheduler = ReduceOnPlateauLR(optimizer, patience=0, factor=0.5, begin=2, end=4)
    optimizer.step()
    seen = []
    for _ in range(6):
        scheduler.step()
        scheduler.step({"loss": 1.0})
        seen.append(optimizer.param_groups[0]["lr"])
    assert seen == [1.0, 1.0, 0.5, 0.5, 0.5, 0.5]
    assert scheduler.last_step == 1


def test_never_below_the_lowest_value_of_each_group():
    optimizer = sgd(2)
    scheduler = ReduceOnPlateauLR(optimizer, patience=0, min_value=[0.5, 0.05])
    optimizer.step()
    for _ in range(9):
        scheduler.step({"loss": 1.0})
    assert scheduler.get_last_value() == pytest.approx([0.5, 0.05])


def test_changes_that_are_too_small_are_not_made():
    optimizer = sgd()
    scheduler = ReduceOnPlateauLR(optimizer, patience=0, factor=0.9, eps=0.2)
    optimizer.step()
    for _ in range(3):
        scheduler.step({"loss": 1.0})
    assert scheduler.get_last_value() == [1.0]


def test_momentum_and_metrics_that_are_tensors():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.ones(1))], betas=(0.8, 0.9))
    scheduler = ReduceOnPlateauMomentum(optimizer, patience=0, factor=0.5, monitor="acc")
    optimizer.step()
    for _ in range(2):
        scheduler.step({"acc": torch.tensor(0.7)})
    assert optimizer.param_groups[0]["betas"] == (0.4, 0.9)


def test_a_metric_that_nobody_computes():
    with pytest.raises(ValueError, match="monitors 'los', which validation") as caught:
        ReduceOnPlateauLR(sgd(), monitor="los").step({"loss": 1.0})
    assert "did you mean 'loss'" in str(caught.value)


def test_metrics_that_are_no_dict():
    with pytest.raises(TypeError, match="metrics is a dict, not float"):
        ReduceOnPlateauLR(sgd()).step(1.0)


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"by_epoch": False}, "by_epoch must be True"),
        ({"factor": 1.0}, "factor is 1.0"),
        ({"rule": "max"}, "rule is 'max'"),
        ({"threshold_rule": "x"}, "threshold_rule is 'x'"),
        ({"min_value": [0.1, 0.2]}, "2 entries for 1 groups"),
    ],
)
def test_arguments_that_make_no_sense(arguments, wrong):
    with pytest.raises(ValueError, match=wrong):
        ReduceOnPlateauLR(sgd(), **arguments)
