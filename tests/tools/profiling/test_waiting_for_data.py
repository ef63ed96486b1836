"""What a training says of its wait for data: once, what to change, and nothing of slow hooks."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest

from mainspring.hooks import IterTimerHook
from mainspring.logging import MessageHub


@pytest.fixture
def train(monkeypatch):
    """Trains 200 iterations by a clock of the test's own; returns what was said."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)), raising=False)

    def run(*, data, step=0.001, behind=0.0, workers=0, scale=1.0):
        now = 0.0
        monkeypatch.setattr("mainspring.hooks.iter_timer_hook.time.perf_counter", lambda: now)
        monkeypatch.setattr("mainspring.hooks.iter_timer_hook._FIRST_LOOK", 0.01 * scale)
        said = []
        runner = SimpleNamespace(
            iter=0,
            max_iters=200,
            hooks=[],
            message_hub=MessageHub("waiting"),
            logger=SimpleNamespace(warning=said.append),
            train_dataloader=SimpleNamespace(num_workers=workers),
        )
        hook = IterTimerHook()
        hook.before_train(runner)
        hook._before_epoch(runner)
        for index in range(200):
            now += data
            hook._before_iter(runner, index)
            now += step
            hook._after_iter(runner, index)
            now += behind
            for other in runner.hooks:
                other.after_train_iter(runner, index)
            runner.iter += 1
        hook.after_train(runner)
        assert runner.hooks == []
        return said

    return run


def test_it_is_said_once_with_what_to_change(train):
    (said,) = train(data=0.009)
    assert "90% of the training time is waiting for data (num_workers=0)" in said
    assert "load in more workers (train_dataloader.num_workers=" in said


def test_a_slow_hook_behind_the_timer_is_not_the_data(train):
    assert train(data=0.001, behind=0.1) == []


def test_nothing_is_said_of_fast_data(train):
    assert train(data=0.001, step=0.002) == []


def test_where_every_core_loads_no_more_workers_are_advised(train):
    (said,) = train(data=0.009, workers=4)
    assert "each of 4 cores loads already" in said
    assert "more workers" not in said


@pytest.mark.parametrize(("workers", "fewer"), [(0, False), (1, True)])
def test_workers_are_not_advised_for_batches_that_are_cheaper_than_handing_them_over(
    train, workers, fewer
):
    (said,) = train(data=0.0005, step=0.0001, workers=workers)
    assert "more workers would not improve" in said
    assert ("train_dataloader.num_workers=0" in said) is fewer
