"""Generators that a data set does not draw from are left alone, unless it does."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import Dataset

from mainspring.dataset import DataLoader
from mainspring.rng.global_generators import GENERATORS, NumPyGenerator
from mainspring.rng.item_seeds import mix, word_of

DRAWS = {
    "python": random.random,
    "python normal": lambda: random.gauss(0, 1),
    "numpy": np.random.rand,
    "numpy normal": np.random.randn,
    "torch": lambda: torch.rand(1).item(),
    "torch normal": lambda: torch.randn(1).item(),
}


class Sometimes(Dataset):
    """Item i makes the draws that a list says, so most generators are used by some items only."""

    def __init__(self, draws):
        self.draws = draws
        self.loaded = 0

    def __len__(self):
        return len(self.draws)

    def __getitem__(self, index):
        self.loaded += 1
        return index, [DRAWS[name]() for name in self.draws[index]]


def states():
    numpy = np.random.get_state()
    return random.getstate(), numpy[1].tolist(), numpy[2:], torch.get_rng_state().tolist()


@settings(deadline=None, max_examples=60)
@given(
    draws=st.lists(st.lists(st.sampled_from(sorted(DRAWS)), max_size=2), min_size=1, max_size=12),
    start=st.integers(0, 5),
    before=st.lists(st.sampled_from(sorted(DRAWS)), max_size=3),
)
def test_what_an_item_draws_does_not_depend_on_what_was_learnt_before(draws, start, before):
    def loader():
        return DataLoader(Sometimes(draws), batch_size=2, collate_fn=list, seed=1)

    for name in before:
        DRAWS[name]()
    kept = states()
    whole = list(loader())
    resumed = loader()
    resumed.load_state_dict({"epoch": 0, "batches": start, "seed": 1})
    assert list(resumed) == whole[start:]
    one_by_one = DataLoader(Sometimes(draws), batch_size=1, collate_fn=list, seed=1)
    assert [item for batch in one_by_one for item in batch] == [i for batch in whole for i in batch]
    again = loader()
    assert list(again) == whole
    assert list(again) == whole
    assert states() == kept


def test_a_generator_used_late_costs_one_batch_more_and_then_no_more():
    data = Sometimes([["torch"]] * 6 + [["torch", "python"]] * 6)
    source = DataLoader(data, batch_size=2, collate_fn=list, seed=1)
    list(source)
    assert data.loaded == 14
    list(source)
    assert data.loaded == 26


def test_main_code_may_draw_between_batches():
    data = Sometimes([["torch"]] * 8)
    source = iter(DataLoader(data, batch_size=2, collate_fn=list, seed=1))
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    expected = [[draw() for draw in DRAWS.values()] for _ in range(4)]
    random.seed(0), np.random.seed(0), torch.manual_seed(0)
    found = []
    for _ in source:
        found.append([draw() for draw in DRAWS.values()])
    assert found == expected
    assert data.loaded == 8


@pytest.mark.parametrize("name", sorted(DRAWS))
@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_every_draw_is_noticed(name, earlier):
    generator = GENERATORS[name.split()[0]]
    for _ in range(earlier):
        DRAWS[name]()
    state = generator.state()
    assert generator.is_at(state)
    value = DRAWS[name]()
    assert not generator.is_at(state)
    generator.put_back(state)
    assert generator.is_at(state)
    assert DRAWS[name]() == value


def test_another_bit_generator_of_numpy():
    original = np.random.get_bit_generator()
    try:
        np.random.set_bit_generator(np.random.PCG64(3))
        state = GENERATORS["numpy"].state()
        assert GENERATORS["numpy"].is_at(state)
        np.random.rand()
        assert not GENERATORS["numpy"].is_at(state)
        GENERATORS["numpy"].put_back(state)
        assert GENERATORS["numpy"].is_at(state)
    finally:
        np.random.set_bit_generator(original)


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**40), st.integers(0, 63))
def test_mixing_spreads_every_bit(state, word, bit):
    changed = mix(state, word) ^ mix(state, word ^ (1 << bit))
    assert 8 <= changed.bit_count() <= 56


def test_indices_of_any_kind_have_a_number():
    assert word_of(5) == word_of(np.int64(5)) == word_of(torch.tensor(5)) == 5
    assert word_of("a") == word_of("a") != word_of("b")
    assert word_of((1, 2)) != word_of((2, 1))


def test_a_normal_number_in_store_is_part_of_the_state():
    generator = NumPyGenerator()
    np.random.seed(3)
    np.random.randn()
    np.random.randn()
    without = generator.state()
    np.random.seed(3)
    np.random.randn()  # the same words in memory, but the second number of the pair is in store
    with_one = generator.state()
    expected = np.random.randn()
    generator.put_back(without)
    assert generator.is_at(without)
    generator.put_back(with_one)
    assert generator.is_at(with_one)
    assert not generator.is_at(without)
    assert np.random.randn() == expected
