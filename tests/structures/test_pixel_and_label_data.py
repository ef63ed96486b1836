"""Fields with a value for each pixel, and labels of a whole image."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mainspring.structures import LabelData, PixelData


@pytest.fixture
def pixels():
    return PixelData(
        metainfo={"k": 1}, mask=torch.arange(20).reshape(4, 5), depth=np.arange(40).reshape(2, 4, 5)
    )


def test_all_fields_have_a_channel_axis_and_one_size(pixels):
    assert pixels.mask.shape == (1, 4, 5)
    assert pixels.shape == (4, 5)
    assert PixelData().shape is None
    with pytest.raises(
        ValueError, match=r"other is \(2, 3\) pixels, the other fields are \(4, 5\)"
    ):
        pixels.other = torch.ones(2, 3)


@pytest.mark.parametrize(
    ("item", "rows", "columns"),
    [
        ((slice(0, 2), slice(1, 3)), slice(0, 2), slice(1, 3)),
        ((0, 0), slice(0, 1), slice(0, 1)),
        ((-1, -2), slice(3, 4), slice(3, 4)),
        ((slice(None, None, 2), -1), slice(0, 4, 2), slice(4, 5)),
    ],
)
def test_cutting_keeps_three_axes(pixels, item, rows, columns):
    made = pixels[item]
    assert torch.equal(made.mask, pixels.mask[:, rows, columns])
    assert np.array_equal(made.depth, pixels.depth[:, rows, columns])
    assert made.k == 1


@pytest.mark.parametrize("item", [0, "mask", [0, 1], (0,), (0, 0, 0), (0.5, 1), (None, 0)])
def test_pixels_are_cut_with_two_indices(pixels, item):
    with pytest.raises(TypeError):
        pixels[item]


@pytest.mark.parametrize("value", [torch.ones(2), torch.ones(1, 1, 2, 2), [[1]], "x"])
def test_what_has_no_pixels_is_refused(value):
    with pytest.raises((TypeError, ValueError)) as caught:
        PixelData(a=value)
    assert isinstance(caught.value, AssertionError)


@given(st.integers(1, 20).flatmap(lambda n: st.tuples(st.just(n), st.sets(st.integers(0, n - 1)))))
def test_labels_come_back_from_one_hot(case):
    count, labels = case
    onehot = LabelData.label_to_onehot(torch.tensor(sorted(labels), dtype=torch.long), count)
    assert onehot.shape == (count,)
    assert int(onehot.sum()) == len(labels)
    assert LabelData.onehot_to_label(onehot).tolist() == sorted(labels)


@pytest.mark.parametrize(
    "mistake",
    [
        lambda: LabelData.label_to_onehot(torch.tensor([3]), 3),
        lambda: LabelData.label_to_onehot([1], 3),
        lambda: LabelData.onehot_to_label([0, 1]),
        lambda: LabelData.onehot_to_label(torch.ones(2, 2)),
        lambda: LabelData.onehot_to_label(torch.tensor([0, 2])),
    ],
)
def test_mistakes_with_labels(mistake):
    with pytest.raises((TypeError, ValueError)):
        mistake()
