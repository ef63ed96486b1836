"""Meta information is the same in containers of any kind; arrays and tensors are compared whole."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from mainspring.dataset.same_metainfo import is_same


class Odd:
    __hash__ = None

    def __eq__(self, other):
        raise ValueError("ambiguous")

    def __repr__(self):
        return "Odd"


META = dict(
    classes=("a", "b"), mean=np.array([0.1, np.nan]), t=torch.tensor([[1, 2]]), s={"x", "y"}
)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        (dict(classes=["a", "b"], mean=[0.1, float("nan")], t=[(1, 2)], s={"y", "x"}), True),
        (dict(META, classes=("a", "c")), False),
        (dict(META, t=torch.tensor([[1, 3]])), False),
        (dict(META, t=torch.tensor([[1, 2], [1, 2]])), False),
        (dict(META, more=1), False),
    ],
)
def test_two_sets(other, same):
    assert is_same(META, other) is same
    assert is_same(other, META) is same


def test_what_does_not_compare_is_compared_by_its_text():
    assert is_same([Odd()], (Odd(),))
    assert not is_same([Odd()], [1])
