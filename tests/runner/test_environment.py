"""What a run settles about its process before anything is built."""

from __future__ import annotations

import pytest

from mainspring.runner.building import environment


@pytest.fixture
def clock(monkeypatch):
    class Clock:
        now = 1_800_000_000.0

    monkeypatch.setattr(environment.time, "time", lambda: Clock.now)
    monkeypatch.setattr(environment, "_latest_start", 0.0)
    return Clock


def test_starts_within_a_second_have_times_that_sort_by_age(clock):
    # The first one has to move on, since an earlier run still has the name of this second.
    in_use = {environment._as_timestamp(clock.now)}
    first = environment.shared_timestamp(in_use.__contains__)
    # Meanwhile that name is free again; what the second one must not do is take it.
    second = environment.shared_timestamp({first}.__contains__)
    assert sorted([second, first]) == [first, second]
    assert second != first


def test_a_start_after_the_clock_was_set_back_is_the_later_one(clock):
    first = environment.shared_timestamp(lambda _: False)
    clock.now -= 3600
    second = environment.shared_timestamp({first}.__contains__)
    assert second > first


def test_time_goes_on_otherwise(clock):
    first = environment.shared_timestamp(lambda _: False)
    clock.now += 60
    second = environment.shared_timestamp(lambda _: False)
    assert second == environment._as_timestamp(clock.now)
    assert second > first
