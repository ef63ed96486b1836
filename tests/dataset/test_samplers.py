"""Samplers are functions of seed, epoch and position."""

from __future__ import annotations

import itertools
import math
from unittest.mock import patch

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.dataset import DefaultSampler, InfiniteSampler
from mainspring.errors import DataError
from mainspring.registry import DATA_SAMPLERS


def on_rank(rank, world_size):
    return patch("mainspring.dataset.order.samplers.get_dist_info", lambda: (rank, world_size))


def permutation(size, seed):
    return torch.randperm(size, generator=torch.Generator().manual_seed(seed)).tolist()


@pytest.mark.parametrize("name", ["DefaultSampler", "InfiniteSampler", "mmengine.DefaultSampler"])
def test_they_are_found_by_name(name):
    assert DATA_SAMPLERS.get(name) is not None


def test_an_epoch_is_the_permutation_of_seed_and_epoch():
    sampler = DefaultSampler(range(11), seed=3)
    assert list(sampler) == permutation(11, 3)
    sampler.set_epoch(4)
    assert list(sampler) == list(sampler) == permutation(11, 7)


def test_what_mmengine_draws():
    # Recorded with MMEngine 0.10.7.
    sampler = DefaultSampler(range(5), seed=0)
    sampler.set_epoch(2)
    assert list(sampler) == [3, 4, 1, 0, 2]
    endless = InfiniteSampler(range(5), seed=0)
    assert list(itertools.islice(endless, 12)) == [4, 0, 1, 3, 2, 3, 4, 0, 1, 2, 2, 4]


def test_without_shuffling_the_order_is_that_of_the_data():
    assert list(DefaultSampler(range(4), shuffle=False)) == [0, 1, 2, 3]
    assert list(itertools.islice(InfiniteSampler(range(3), shuffle=False), 7)) == [
        0, 1, 2, 0, 1, 2, 0,
    ]  # fmt: skip


@given(
    size=st.integers(1, 40),
    world_size=st.integers(1, 5),
    seed=st.integers(0, 1000),
    round_up=st.booleans(),
)
def test_ranks_share_an_epoch_in_turn(size, world_size, seed, round_up):
    parts = []
    for rank in range(world_size):
        sampler = DefaultSampler(range(size), seed=seed, round_up=round_up)
        with on_rank(rank, world_size):
            parts.append(list(sampler))
            assert len(parts[-1]) == len(sampler) == sampler.num_samples
            assert sampler.total_size == (world_size * len(sampler) if round_up else size)
    dealt = [index for row in itertools.zip_longest(*parts) for index in row if index is not None]
    whole = permutation(size, seed)
    assert dealt[:size] == whole
    if round_up:
        assert {len(part) for part in parts} == {math.ceil(size / world_size)}
        repeated = whole * world_size
        assert dealt == repeated[: len(dealt)]
    else:
        assert dealt == whole


@given(
    size=st.integers(1, 12),
    world_size=st.integers(1, 4),
    rank=st.integers(0, 3),
    start=st.integers(0, 60),
    shuffle=st.booleans(),
)
def test_the_endless_stream_can_be_entered_anywhere(size, world_size, rank, start, shuffle):
    sampler = InfiniteSampler(range(size), shuffle=shuffle, seed=5)
    with on_rank(rank % world_size, world_size):
        expected = list(itertools.islice(sampler, start, start + 20))
        visits = list(itertools.islice(sampler.visits(start), 20))
    assert [index for _, index in visits] == expected
    first = rank % world_size + start * world_size
    assert [number for number, _ in visits] == [
        (first + place * world_size) // size for place in range(20)
    ]


@pytest.mark.parametrize(("rank", "world_size"), [(0, 1), (2, 3)])
def test_the_endless_stream_can_begin_later(rank, world_size):
    sampler = InfiniteSampler(range(7), seed=5)
    with on_rank(rank, world_size):
        expected = list(itertools.islice(sampler, 20, 30))
        sampler.skip(20)
        assert list(itertools.islice(sampler, 10)) == expected
        assert [index for _, index in itertools.islice(sampler.visits(4), 6)] == expected[4:]
    with pytest.raises(ValueError, match="negative"):
        sampler.skip(-1)


def test_the_endless_stream_visits_everything_once_in_each_pass():
    stream = itertools.islice(InfiniteSampler(range(6), seed=1), 18)
    for _ in range(3):
        assert sorted(itertools.islice(stream, 6)) == list(range(6))


def test_the_endless_stream_has_no_epochs():
    sampler = InfiniteSampler(range(6), seed=1)
    before = list(itertools.islice(sampler, 6))
    sampler.set_epoch(5)
    assert list(itertools.islice(sampler, 6)) == before
    assert len(sampler) == 6


def test_an_empty_stream_is_refused():
    with pytest.raises(DataError, match="list is empty"):
        InfiniteSampler([])


def test_without_a_seed_one_is_drawn():
    with patch("mainspring.dataset.order.samplers.sync_random_seed", return_value=8):
        assert list(DefaultSampler(range(9))) == permutation(9, 8)
