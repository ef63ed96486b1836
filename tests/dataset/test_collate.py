"""From samples to a batch."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest
import torch

from mainspring.dataset import COLLATE_FUNCTIONS, default_collate, pseudo_collate
from mainspring.errors import DataError
from mainspring.registry import FUNCTIONS
from mainspring.structures import BaseDataElement


class Pair(NamedTuple):
    image: object
    label: object


def test_they_are_registered_functions():
    assert COLLATE_FUNCTIONS is FUNCTIONS
    assert FUNCTIONS.get("pseudo_collate") is pseudo_collate
    assert FUNCTIONS.get("default_collate") is default_collate


def test_pseudo_collate_transposes_and_leaves_the_rest():
    a, b = torch.ones(2), torch.ones(3)
    batch = pseudo_collate([{"inputs": a, "path": "a"}, {"inputs": b, "path": "b"}])
    assert batch["inputs"][0] is a
    assert batch["inputs"][1] is b
    assert batch["path"] == ["a", "b"]


@pytest.mark.parametrize(
    ("samples", "batch"),
    [
        ([1, 2.5], [1, 2.5]),
        (["a", "b"], ["a", "b"]),
        ([(1, "x"), (2, "y")], [(1, 2), ("x", "y")]),
        ([[1, 2], [3, 4]], [(1, 3), (2, 4)]),
        ([{"c": (1, 2)}, {"c": (3, 4)}], {"c": [(1, 3), (2, 4)]}),
        ([None, None], [None, None]),
    ],
)
def test_pseudo_collate_of_nested_samples(samples, batch):
    assert pseudo_collate(samples) == batch


def test_default_collate_stacks_what_can_be_stacked():
    sample = {"x": torch.ones(2), "y": np.zeros(3), "z": 1.5, "name": "a"}
    element = BaseDataElement()
    batch = default_collate([{**sample, "data": element}, {**sample, "data": element}])
    assert batch["x"].shape == (2, 2)
    assert batch["y"].shape == (2, 3)
    assert batch["z"].tolist() == [1.5, 1.5]
    assert batch["name"] == ["a", "a"]
    assert batch["data"] == [element, element]


def test_named_tuples_stay_named():
    batch = default_collate([Pair(torch.zeros(1), 0), Pair(torch.zeros(1), 1)])
    assert type(batch) is Pair
    assert batch.label.tolist() == [0, 1]


@pytest.mark.parametrize("collate", [pseudo_collate, default_collate])
def test_samples_of_different_length_are_refused(collate):
    with pytest.raises(DataError, match=r"hold \[1, 2\] values"):
        collate([[1, 2], [3]])


def test_a_leaf_that_cannot_be_stacked_is_torchs_error():
    with pytest.raises(TypeError, match="NoneType"):
        default_collate([{"x": None}, {"x": None}])
