"""The clock: nothing twice, nothing lost."""

from __future__ import annotations

import pytest

from mainspring.tools.profiling.section_clock import SectionClock


class Time:
    """A time that passes only when told."""

    def __init__(self):
        self.seconds = 100.0

    def __call__(self):
        return self.seconds

    def passes(self, seconds):
        self.seconds += seconds


@pytest.fixture
def time():
    return Time()


@pytest.fixture
def clock(time):
    return SectionClock(now=time)


def test_an_inner_section_is_taken_off_the_outer_one(clock, time):
    inner = clock.wrap(lambda: time.passes(4), "inner")

    def work():
        time.passes(1)
        inner()
        time.passes(2)

    clock.start("base")
    time.passes(8)
    clock.wrap(work, "outer")()
    time.passes(16)
    assert clock.take() == {"base": 24, "outer": 3, "inner": 4}
    assert clock.take() == {"base": 0}


def test_all_time_is_some_sections(clock, time):
    clock.start("data")
    time.passes(1)
    clock.change_base("engine")
    clock.wrap(lambda: time.passes(5), "forward")()
    time.passes(2)
    clock.change_base("data")
    taken = clock.take()
    assert taken == {"data": 1, "engine": 2, "forward": 5}
    assert sum(taken.values()) == 8


def test_a_section_that_raises_is_left(clock, time):
    def fail():
        time.passes(3)
        raise LookupError

    clock.start("base")
    with pytest.raises(LookupError):
        clock.wrap(fail, "failing")()
    time.passes(1)
    assert clock.take() == {"failing": 3, "base": 1}


def test_a_clock_that_stands_still_only_calls(time):
    readings = []
    clock = SectionClock(synchronize=lambda: readings.append(1), now=time)
    double = clock.wrap(lambda value, *, plus=0: 2 * value + plus, "section")
    assert double(4, plus=1) == 9
    assert not readings
    clock.start("base")
    clock.stop()
    readings.clear()
    assert double(4) == 8
    assert not readings


def test_a_device_is_waited_for_before_each_reading(time):
    order = []
    clock = SectionClock(lambda: order.append("wait"), lambda: order.append("read") or 0.0)
    clock.start("base")
    clock.wrap(lambda: order.append("work"), "section")()
    assert order == ["wait", "read", "wait", "read", "work", "wait", "read"]
