"""Two observations are equal to the last bit, or the first thing that differs is named."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from mainspring.structures import BaseDataElement
from mainspring.structures.tensor_difference import relative_difference
from mainspring.tools.verify.first_difference import compare, differing_tensor
from mainspring.tools.verify.observation import Observation
from mainspring.tools.verify.training import positions


def seen(tensors=None, **entries):
    observation = Observation(tensors or {})
    for iteration, (name, value) in enumerate(entries.items(), 1):
        observation.add(iteration, name, value)
    return observation


def test_equal_observations_have_no_difference():
    content = {"w": torch.tensor([1.0, math.nan])}, {"a": 1.5, "b": torch.arange(3)}
    assert compare(seen(content[0], **content[1]), seen(content[0], **content[1])) == []


def test_the_first_value_in_time_and_the_first_tensor_are_named():
    left = seen({"w": torch.ones(3), "v": torch.ones(2)}, a=1.0, b=2.0, c=3.0)
    right = seen({"w": torch.ones(3), "v": torch.tensor([1.0, 2.0])}, a=1.0, b=2.5, c=4.0)
    value, tensor = compare(left, right)
    assert str(value) == "iteration 2, b: 2.0 against 2.5 (and 1 more differ)"
    assert str(tensor).startswith("v: 1 of 2 values differ, by up to 1 (")


def test_what_one_side_lacks_is_a_difference():
    value, tensor = compare(seen({"w": torch.ones(1)}, a=1), seen())
    assert (value.what, tensor.what) == ("only in the first", "only in the first")


def test_what_lies_before_a_resumed_run_does_not_count():
    assert compare(seen(a=1, b=2), seen(c=0, b=2), after=1) == []


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_the_distance_in_units_in_the_last_place(dtype):
    below = torch.nextafter(torch.zeros(1, dtype=dtype), torch.tensor(-1, dtype=dtype))
    above = torch.nextafter(torch.zeros(1, dtype=dtype), torch.tensor(1, dtype=dtype))
    assert "(2 units in the last place)" in str(differing_tensor(below, above))


def test_bits_count_and_not_values():
    assert differing_tensor(torch.tensor([0.0]), torch.tensor([-0.0])) is not None
    assert differing_tensor(torch.tensor([math.nan]), torch.tensor([math.nan])) is None
    assert differing_tensor(torch.tensor(True), torch.tensor(False)) == "1 of 1 values differ"
    assert differing_tensor(torch.ones(2), torch.ones(3)) == "float32 (2,) against float32 (3,)"
    assert differing_tensor(torch.empty(0), torch.empty(0)) is None
    assert differing_tensor(torch.tensor(1j), torch.tensor(2j)) == "the values differ"


def test_the_relative_difference_is_that_of_the_norms():
    assert relative_difference(torch.tensor([3.0, 4.0]), torch.tensor([3.0, 3.0])) == 0.2
    assert relative_difference(torch.tensor([0.25]), torch.tensor([0.5]), floor=4.0) == 0.0625
    assert relative_difference(torch.zeros(1), torch.zeros(1)) == 0.0
    assert relative_difference(torch.ones(1), torch.ones(2)) == math.inf


def test_all_kinds_of_values_survive_the_file(tmp_path):
    class Box:
        def __init__(self, side):
            self.side = side

    element = BaseDataElement(metainfo={"shape": (3, 4)})
    element.scores = torch.tensor([0.25])
    value = {
        "image": np.arange(3), "text": "a", "nothing": None, "box": Box(2), "raw": b"x",
        "element": element, "pair": (1, [True]), "objects": np.array([None, "b"], dtype=object),
        "half": torch.tensor([1.0], dtype=torch.float16), "infinite": math.inf,
    }  # fmt: skip
    before = seen({"w": torch.ones(2)}, batch=value)
    before.facts = {"iterations": 1}
    before.write(tmp_path)
    after = Observation.read(tmp_path)
    assert after.log == before.log
    assert after.facts == before.facts
    assert compare(before, after) == []
    names = {entry.name for entry in after.log}
    assert {"batch box.side", "batch element.scores", "batch pair.1.0", "batch objects.1"} <= names


@pytest.mark.parametrize(
    ("iterations", "epoch_length", "expected"),
    [
        (12, 10, [(5, False), (10, True)]),
        (12, 3, [(5, False), (6, True)]),
        (12, 100, [(6, False), (10, False)]),
        (12, None, [(6, False), (10, False)]),
        (12, 1, [(6, True)]),
        (3, 2, [(1, False)]),
        (2, 2, [(1, False)]),
        (1, 1, []),
    ],
)
def test_where_a_training_goes_on(iterations, epoch_length, expected):
    assert positions(iterations, epoch_length) == expected
