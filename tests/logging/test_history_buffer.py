"""A history keeps the last values of a scalar, and appending to it stays cheap."""

import copy
import io
import pickle
import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.logging import HistoryBuffer

finite = st.floats(allow_nan=False, allow_infinity=False, width=32)


@given(st.lists(st.tuples(finite, st.integers(1, 9)), min_size=1, max_size=60), st.integers(1, 80))
def test_statistics_are_those_of_numpy_over_the_window(entries, window):
    buffer = HistoryBuffer()
    for value, count in entries:
        buffer.update(value, count)
    values = np.array([value for value, _ in entries])[-window:]
    counts = np.array([count for _, count in entries])[-window:]
    assert buffer.mean(window) == values.sum() / counts.sum()
    assert buffer.max(window) == values.max()
    assert buffer.min(window) == values.min()
    assert buffer.current() == values[-1]


@pytest.mark.parametrize("max_length", [1, 7, 100])
def test_only_the_newest_values_are_kept(max_length):
    buffer = HistoryBuffer(max_length=max_length)
    for number in range(1000):
        buffer.update(float(number), 2)
        assert len(buffer._values) <= max_length + 64 + max_length // 8
    values, counts = buffer.data
    assert values.tolist() == [float(number) for number in range(1000 - max_length, 1000)]
    assert counts.tolist() == [2] * max_length
    assert buffer.min() == 1000 - max_length


def test_too_many_values_to_begin_with_are_cut_with_a_warning():
    with pytest.warns(UserWarning, match="only the last 2 are kept"):
        buffer = HistoryBuffer([1, 2, 3], [1, 1, 1], max_length=2)
    assert buffer.data[0].tolist() == [2, 3]


def test_values_that_are_not_finite_are_kept():
    buffer = HistoryBuffer([1.0, float("nan"), float("inf")], [1, 1, 1])
    assert np.isnan(buffer.mean())
    assert buffer.current() == np.inf


def test_whole_numbers_stay_whole_until_there_is_another():
    buffer = HistoryBuffer([3], [1])
    buffer.update(4)
    assert str(buffer.current()) == "4"
    assert buffer.data[0].dtype == np.int64
    buffer.update(4.5)
    assert buffer.data[0].tolist() == [3.0, 4.0, 4.5]
    assert buffer.data[0].dtype == np.float64


@pytest.mark.parametrize("value", ["1", None, np.float32(1), torch.tensor(1.0)])
def test_only_numbers_are_taken(value):
    with pytest.raises(TypeError, match="a history takes a number"):
        HistoryBuffer().update(value)
    with pytest.raises(TypeError):
        HistoryBuffer().update(1.0, value)


def test_mistakes():
    with pytest.raises(AssertionError, match="2 values with 1 counts"):
        HistoryBuffer([1, 2], [1])
    with pytest.raises(ValueError, match="empty"):
        HistoryBuffer().current()
    with pytest.raises(AssertionError, match="window_size"):
        HistoryBuffer([1], [1]).mean(1.5)
    with pytest.raises(KeyError, match=r"no statistic 'men'(?s:.*)did you mean 'mean'"):
        HistoryBuffer([1], [1]).statistics("men")


def test_statistics_can_be_registered_once(monkeypatch):
    monkeypatch.setattr(
        HistoryBuffer, "_statistics_methods", dict(HistoryBuffer._statistics_methods)
    )

    @HistoryBuffer.register_statistics
    def spread(buffer, window_size=None):
        return buffer.max(window_size) - buffer.min(window_size)

    buffer = HistoryBuffer([5.0, 1.0, 2.0], [1, 1, 1])
    assert buffer.statistics("spread") == 4
    assert buffer.statistics("spread", window_size=2) == 1
    assert buffer.statistics("mean", 1) == 2
    with pytest.raises(AssertionError, match="already"):
        HistoryBuffer.register_statistics(spread)


def same(first, second):
    return (
        first.max_length == second.max_length
        and all(np.array_equal(a, b) for a, b in zip(first.data, second.data, strict=True))
        and first.data[0].dtype == second.data[0].dtype
    )


@pytest.mark.parametrize("counts", [[1, 1, 1], [1, 2, 3]])
@pytest.mark.parametrize("values", [[1.5, 2.5, -1.0], [1, 2, 3]])
def test_copies_pickles_and_states_are_equal(values, counts):
    buffer = HistoryBuffer(values, counts, max_length=5)
    stream = io.BytesIO()
    torch.save(buffer.state_dict(), stream)
    stream.seek(0)
    state = torch.load(stream, weights_only=True)
    assert ("counts" in state) == (counts != [1, 1, 1])
    for made in (
        copy.deepcopy(buffer),
        pickle.loads(pickle.dumps(buffer)),
        HistoryBuffer.from_state_dict(state),
    ):
        assert same(made, buffer)
        made.update(9.0)
        assert len(buffer.data[0]) == 3


def test_the_pickled_attributes_of_mmengine_are_understood():
    buffer = HistoryBuffer.__new__(HistoryBuffer)
    buffer.__setstate__(
        {
            "max_length": 100,
            "_log_history": np.array([0.5, 0.25]),
            "_count_history": np.array([1, 3]),
            "statistics_methods": {"mean": HistoryBuffer.mean},
        }
    )
    buffer.update(1.0)
    assert buffer.data[0].tolist() == [0.5, 0.25, 1.0]
    assert buffer.data[1].tolist() == [1, 3, 1]
    assert buffer.mean() == 1.75 / 5


def test_appending_does_not_get_slower():
    buffer = HistoryBuffer(max_length=20_000)

    def seconds_for(count):
        start = time.perf_counter()
        for number in range(count):
            buffer.update(float(number))
        return time.perf_counter() - start

    early = min(seconds_for(2000) for _ in range(3))
    seconds_for(200_000)
    assert min(seconds_for(2000) for _ in range(3)) < 10 * early


@given(st.lists(st.floats(allow_nan=False, width=64), min_size=1, max_size=90), st.integers(1, 70))
def test_the_quick_mean_is_that_of_numpy_to_the_last_bit(values, window):
    buffer = HistoryBuffer()
    for value in values:
        buffer.update(value)
    with np.errstate(all="ignore"):
        expected, quick = buffer.mean(window), buffer.smoothed(window)
    assert np.float64(quick).tobytes() == np.float64(expected).tobytes()
    assert buffer.newest() == buffer.current()


def test_the_quick_mean_of_whole_numbers_and_of_counts():
    whole, counted = HistoryBuffer([1, 2, 4], [1, 1, 1]), HistoryBuffer([1.0, 2.0], [2, 3])
    assert (whole.smoothed(2), whole.newest()) == (3.0, 4)
    assert (counted.smoothed(5), counted.newest()) == (0.6, 2.0)


@pytest.mark.parametrize("value", [2**63, 2**64 + 5, -(2**70), 10**30])
def test_whole_numbers_beyond_64_bits_are_shown_as_what_they_are(value):
    buffer = HistoryBuffer()
    buffer.update(value)
    assert buffer.newest() == pytest.approx(value)
    assert float(buffer.mean(1)) == pytest.approx(value)
    again = HistoryBuffer.from_state_dict(buffer.state_dict())
    assert again.newest() == pytest.approx(value)


@pytest.mark.parametrize("kind", [list, np.array, torch.tensor])
def test_values_may_come_in_rows(kind):
    values, counts = HistoryBuffer(kind([[1.0, 2.0], [3.0, 4.0]]), kind([[1, 2], [3, 4]])).data
    assert values.tolist() == [1, 2, 3, 4]
    assert counts.tolist() == [1, 2, 3, 4]
