"""Counters, intervals and endless batches."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.errors import ConfigError, DataError
from mainspring.runner.run_length import (
    EndlessBatches,
    IntervalSchedule,
    check_interval,
    checked_length,
    set_loader_epoch,
)


class RecordingSampler:
    def __init__(self):
        self.epochs = []

    def set_epoch(self, epoch):
        self.epochs.append(epoch)


class FakeLoader:
    def __init__(self, items):
        self.items = items
        self.sampler = RecordingSampler()
        self.given = 0

    def __iter__(self):
        for item in self.items:
            self.given += 1
            yield item


class PositionedLoader(FakeLoader):
    def load_state_dict(self, state):
        self.items = self.items[state["batches"] :]


@pytest.mark.parametrize("value", [1, 12, 3.0, np.int64(3), np.float32(3)])
def test_lengths_are_whole_numbers(value):
    assert checked_length("max_epochs", value) == int(value)
    assert type(checked_length("max_epochs", value)) is int
    check_interval("val_interval", value, 1)


@pytest.mark.parametrize("value", [math.inf, math.nan, 2.5, "3", None, True])
def test_other_intervals_are_refused_with_their_name(value):
    with pytest.raises(ConfigError, match="val_interval is"):
        check_interval("val_interval", value, 1)


@pytest.mark.parametrize("value", [0, -1, 2.5, "3", None, True, math.inf, math.nan])
def test_other_lengths_are_refused_with_their_name(value):
    with pytest.raises(ConfigError, match="max_epochs is") as caught:
        checked_length("max_epochs", value)
    assert caught.value.config_path == "train_cfg.max_epochs"


def test_the_interval_changes_at_its_milestones():
    schedule = IntervalSchedule(5, [(10, 2), (20, 1)])
    assert [schedule.at(completed) for completed in (0, 8, 9, 18, 19, 99)] == [5, 5, 2, 2, 1, 1]


@given(
    st.integers(1, 9),
    st.lists(st.tuples(st.integers(1, 50), st.integers(1, 9)), unique_by=lambda pair: pair[0]),
    st.integers(0, 60),
)
def test_the_last_milestone_reached_decides(interval, pairs, completed):
    pairs.sort()
    expected = interval
    for milestone, value in pairs:
        if completed + 1 >= milestone:
            expected = value
    assert IntervalSchedule(interval, pairs).at(completed) == expected


@pytest.mark.parametrize("pairs", [[(5, 1), (3, 1)], [5], [(1, 2, 3)], [(1, "2")], [("a", 2)]])
def test_malformed_dynamic_intervals_are_refused(pairs):
    with pytest.raises(ConfigError, match="dynamic_intervals"):
        IntervalSchedule(1, pairs)


def test_endless_batches_start_anew_and_tell_the_sampler():
    loader = FakeLoader("abc")
    batches = EndlessBatches(loader)
    assert "".join(next(batches) for _ in range(7)) == "abcabca"
    assert (batches.epoch, batches.delivered) == (2, 1)
    assert loader.sampler.epochs == [1, 2]


def test_endless_batches_begin_where_they_are_told():
    loader = FakeLoader("abc")
    batches = EndlessBatches(loader, epoch=4, first_batch=2)
    assert "".join(next(batches) for _ in range(3)) == "cab"
    assert batches.epoch == 5


def test_an_empty_loader_is_an_error_and_no_endless_loop():
    with pytest.raises(DataError, match="gives no batch"):
        next(EndlessBatches(FakeLoader("")))


def test_a_loader_that_cannot_seek_is_read_through():
    loader = FakeLoader("abcd")
    assert list(ResumableLoader(loader).batches(0, 3)) == ["d"]
    assert loader.given == 4


def test_a_loader_that_can_seek_is_not_read_through():
    loader = PositionedLoader("abcd")
    loader.load_state_dict({"batches": 3})
    assert list(ResumableLoader(loader).batches(0, 3)) == ["d"]
    assert loader.given == 1


def test_the_epoch_reaches_the_sampler_inside_a_batch_sampler():
    class BatchSampler:
        sampler = RecordingSampler()

    class Loader:
        sampler = None
        batch_sampler = BatchSampler()

    set_loader_epoch(Loader(), 6)
    assert BatchSampler.sampler.epochs == [6]
