"""Data sets in memory: what comes out is what loading item by item gives, bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import Subset, TensorDataset
from torch.utils.data import default_collate as torch_collate

from mainspring.dataset import DataLoader, InMemoryDataset, default_collate
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dataset.workers.tensor_rows import TensorRows
from mainspring.errors import ConfigError, DataError

TYPES = [torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.uint8, torch.bool]
TYPES += [torch.complex64]


def same(left, right):
    """Equal in values, types, shapes, strides and containers."""
    if isinstance(left, torch.Tensor):
        return (
            type(left) is type(right)
            and left.dtype == right.dtype
            and left.stride() == right.stride()
            and torch.equal(left, right)
        )
    if isinstance(left, dict):
        return list(left) == list(right) and all(same(left[k], right[k]) for k in left)
    return type(left) is type(right) and len(left) == len(right) and all(map(same, left, right))


def tensors(length, seed=0):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(), (3,), (2, 0), (1, 2, 2)]
    return [
        (torch.rand(length, *shapes[k % 4], generator=generator) * 9).to(dtype)
        for k, dtype in enumerate(TYPES)
    ]


@settings(deadline=None, max_examples=40)
@given(
    length=st.integers(1, 12),
    order=st.lists(st.integers(0, 100), min_size=1, max_size=9),
    depth=st.integers(0, 2),
    as_dict=st.booleans(),
    collate=st.sampled_from([torch_collate, default_collate]),
)
def test_a_batch_is_what_collating_single_items_gives(length, order, depth, as_dict, collate):
    fields = tensors(length)
    data = (
        InMemoryDataset({f"field {k}": f for k, f in enumerate(fields)})
        if as_dict
        else TensorDataset(*fields)
    )
    for _ in range(depth):
        data = Subset(data, [(i * 7 + 3) % length for i in range(length)])
    order = [index % length for index in order]
    rows = TensorRows.of(data, collate)
    assert rows is not None
    assert same(rows.batch(order), collate([data[index] for index in order]))


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("kind", ["tensors", "fields", "subset"])
def test_through_our_loader_and_torchs(workers, kind):
    x, y = torch.randn(25, 4), torch.arange(25)
    data = {
        "tensors": TensorDataset(x, y),
        "fields": InMemoryDataset({"inputs": x, "target": y}),
        "subset": Subset(TensorDataset(x, y), list(range(24, -1, -1))),
    }[kind]
    expected = list(TorchDataLoader(data, batch_size=8))
    ours = list(DataLoader(data, batch_size=8, num_workers=workers))
    theirs = TorchDataLoader(data, batch_size=8, num_workers=workers)
    assert same(ours, expected)
    assert same(list(ResumableLoader(theirs, seed=1).batches()), expected)


def test_no_item_is_loaded_alone(monkeypatch):
    def refuse(self, index):
        raise AssertionError("an item was loaded alone")

    monkeypatch.setattr(InMemoryDataset, "__getitem__", refuse)
    data = InMemoryDataset({"x": torch.arange(10)})
    batches = list(DataLoader(data, batch_size=4))
    assert [batch["x"].tolist() for batch in batches] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


@pytest.mark.parametrize("indices", [[-1, 2], [True, False], [], [[0], [1]], [0, 99], [1.0]])
def test_unusual_indices_are_left_to_the_data_set(indices):
    rows = TensorRows.of(TensorDataset(torch.arange(10)), torch_collate)
    assert rows is not None
    assert rows.batch(indices) is None


def test_negative_indices_count_from_the_end():
    data = TensorDataset(torch.arange(10))
    loader = DataLoader(data, batch_sampler=[[-1, -2], [0, 1]])
    assert [batch[0].tolist() for batch in loader] == [[9, 8], [0, 1]]


class Shifted(TensorDataset):
    def __getitem__(self, index):
        return tuple(tensor + 1 for tensor in super().__getitem__(index))


@pytest.mark.parametrize(
    ("data", "collate"),
    [
        (Shifted(torch.arange(4)), torch_collate),
        (TensorDataset(torch.arange(4)), list),
        (TensorDataset(torch.zeros(4, requires_grad=True)), torch_collate),
        (TensorDataset(torch.zeros(3, 4).t()), torch_collate),
        (TensorDataset(torch.eye(4).to_sparse()), torch_collate),
        (TensorDataset(torch.nn.Parameter(torch.zeros(4))), torch_collate),
        ([1, 2, 3], torch_collate),
    ],
    ids=["subclass", "collate", "requires grad", "strides", "sparse", "parameter", "list"],
)
def test_what_is_not_known_to_be_the_same_goes_the_long_way(data, collate):
    assert TensorRows.of(data, collate) is None


def test_a_collate_function_that_users_extended_is_used(monkeypatch):
    from torch.utils.data._utils.collate import default_collate_fn_map

    monkeypatch.setitem(
        default_collate_fn_map, torch.Tensor, lambda batch, *, collate_fn_map=None: "mine"
    )
    assert next(iter(DataLoader(TensorDataset(torch.arange(4)), batch_size=2))) == ["mine"]


def test_resuming_in_the_middle():
    data = InMemoryDataset({"x": torch.arange(20)})
    whole = list(DataLoader(data, batch_size=3, shuffle=True, seed=5))
    loader = DataLoader(data, batch_size=3, shuffle=True, seed=5)
    loader.load_state_dict({"epoch": 0, "batches": 4, "seed": 5})
    assert same(list(loader), whole[4:])


def test_fields_may_be_arrays_and_lists():
    array = np.arange(6, dtype=np.float32).reshape(3, 2)
    data = InMemoryDataset({"array": array, "numbers": [1, 2, 3]})
    assert len(data) == 3
    assert data[1]["array"].tolist() == [2, 3]
    assert data[1]["numbers"] == 2
    array[1, 0] = 7  # arrays are shared
    assert data[1]["array"].tolist() == [7, 3]


@pytest.mark.parametrize(
    ("fields", "error", "text"),
    [
        ({}, ConfigError, "has no field"),
        ({"a": [1, 2], "b": [1]}, DataError, "a has 2 rows, b has 1 rows"),
        ({"a": 3}, DataError, "single number 3"),
        ({"a": ["cat", "dog"]}, ConfigError, "makes no tensor"),
        ({"a": [[1], [1, 2]]}, ConfigError, "makes no tensor"),
    ],
)
def test_wrong_fields(fields, error, text):
    with pytest.raises(error, match=text):
        InMemoryDataset(fields)
