"""Seeds of items: SplitMix64, whoever computes it, however the generators are reached."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader
from mainspring.fast import twister_memory
from mainspring.rng import global_generators
from mainspring.rng.item_seeds import ItemSeeds, mix, word_of

MASK = 2**64 - 1


def splitmix64(state):
    """Steele, Lea and Flood (2014), figure 17, in Python's unbounded numbers."""
    while True:
        state = (state + 0x9E3779B97F4A7C15) & MASK
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        yield z ^ (z >> 31)


@given(
    seed=st.integers(0, 2**64 - 1),
    stream=st.integers(0, 2**64 - 1),
    indices=st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=5),
)
def test_a_seed_is_a_mix_of_run_stream_and_index(seed, stream, indices):
    expected = [mix(mix(seed, stream), index) for index in indices]
    assert ItemSeeds(seed, stream, indices).seeds == expected
    assert ItemSeeds(seed, [stream] * len(indices), indices).seeds == expected


@pytest.mark.parametrize(
    "indices",
    [
        [True, False],
        ["a", "b"],
        [(1, 2), (3, 4)],
        [(1, 2), "x", 3],
        [1.5, 2.0],
        [2**70, 1],
        [2**63, 1],
        [np.int64(3), np.int64(4)],
        [torch.tensor(3), torch.tensor(4)],
        np.array([3, 4], np.int32),
        torch.tensor([3, 4]),
    ],
    ids=repr,
)
def test_indices_of_any_kind(indices):
    expected = [mix(mix(1, 2), word_of(index)) for index in indices]
    assert ItemSeeds(1, 2, indices).seeds == expected


def test_twisters_begin_with_what_follows_in_splitmix64():
    seeds = ItemSeeds(5, 0, list(range(150)))  # more than are computed at a time
    first, second = list(seeds.words(0)), list(seeds.words(1))
    assert len(first) == len(second) == 150
    for item in (0, 63, 64, 149):
        numbers = splitmix64(seeds.seeds[item])
        words = [next(numbers) for _ in range(624)]
        assert np.frombuffer(first[item], np.uint64).tolist() == words[:312]
        assert np.frombuffer(second[item], np.uint64).tolist() == words[312:]


class Draws(Dataset):
    def __len__(self):
        return 6

    def __getitem__(self, index):
        normals = random.gauss(0, 1), np.random.randn(), torch.randn(()).item()
        return normals, random.random(), np.random.rand(), [random.random() for _ in range(700)]


def drawn():
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    random.gauss(0, 1), np.random.randn()  # leaves a second normal number in store
    items = [item for batch in DataLoader(Draws(), batch_size=3, collate_fn=list) for item in batch]
    return items, random.gauss(0, 1), np.random.randn(), random.random(), np.random.rand()


def test_without_access_to_their_memory_the_generators_give_the_same(monkeypatch):
    assert twister_memory.python_twister() is not None
    assert twister_memory.numpy_twister() is not None
    expected = drawn()
    monkeypatch.setattr(global_generators, "python_twister", lambda: None)
    monkeypatch.setattr(global_generators, "numpy_twister", lambda: None)
    assert drawn() == expected


def test_generators_of_an_item_draw_different_numbers():
    (normals, python, numpy, _), *_ = drawn()[0]
    assert len({*normals, python, numpy}) == 5


def test_items_draw_different_numbers():
    streams = [tuple(item[3]) for item in drawn()[0]]
    assert len({number for stream in streams for number in stream}) == 6 * 700


def test_a_bit_generator_of_another_kind_is_seeded_for_each_item():
    original = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        before = np.random.get_bit_generator().state
        first, second = drawn()[0], drawn()[0]
        np.random.get_bit_generator().state = before
        third = drawn()[0]
    finally:
        np.random.set_bit_generator(original)
    assert first == second == third
    assert len({item[2] for item in first}) == 6


def test_uniform_and_uncorrelated_between_neighbours():
    loader = DataLoader(FirstDraws(), batch_size=64, collate_fn=list, seed=0)
    numbers = np.array([item for batch in loader for item in batch])
    assert numbers.shape == (4096, 6)
    # Standard errors: 0.29 / 64 for a mean, 1 / 64 for a correlation.
    assert np.abs(numbers.mean(0) - 0.5).max() < 5 * 0.29 / 64
    columns = np.corrcoef(numbers.T)
    assert np.abs(columns - np.eye(6)).max() < 5 / 64
    neighbours = [np.corrcoef(numbers[:-1, k], numbers[1:, k])[0, 1] for k in range(6)]
    assert np.abs(neighbours).max() < 5 / 64


class FirstDraws(Dataset):
    def __len__(self):
        return 4096

    def __getitem__(self, index):
        torch_draws = torch.rand(2).tolist()
        return [random.random(), random.random(), np.random.rand(), np.random.rand(), *torch_draws]
