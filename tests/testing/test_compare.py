"""The comparisons answer as MMEngine's do."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from torch import nn

from mainspring import testing


@pytest.mark.parametrize(
    ("actual", "expected", "close"),
    [
        (1.0, 1.00005, True),
        (1.0, 1.001, False),
        (torch.ones(2, dtype=torch.float64), torch.full((2,), 1.00001), True),
        (torch.ones(2, dtype=torch.float64), torch.full((2,), 1.0001, dtype=torch.float64), False),
        (torch.ones(2, dtype=torch.float16), torch.full((2,), 1.001, dtype=torch.float16), True),
        ([1, 2], [1, 2], True),
        ([1, 2], [1, 3], False),
        (float("nan"), float("nan"), True),
    ],
)
def test_default_tolerances_are_those_of_torchs_former_function(actual, expected, close):
    if close:
        testing.assert_allclose(actual, expected)
    else:
        with pytest.raises(AssertionError):
            testing.assert_allclose(actual, expected)


def test_own_tolerances_and_message():
    testing.assert_allclose(1.0, 1.1, rtol=0, atol=0.2)
    with pytest.raises(AssertionError, match="far off"):
        testing.assert_allclose(1.0, 1.1, rtol=0, atol=0.05, msg="far off")
    with pytest.raises(AssertionError):
        testing.assert_allclose(float("nan"), float("nan"), equal_nan=False)
    with pytest.raises(ValueError, match="atol"):
        testing.assert_allclose(1.0, 1.1, rtol=0.2)


@pytest.mark.parametrize(
    ("subset", "contained"),
    [
        ({}, True),
        ({"a": 1}, True),
        ({"a": 1, "list": [1, 2]}, True),
        ({"array": np.array([1, 2])}, True),
        ({"array": np.array([1, 3])}, False),
        ({"tensor": torch.tensor([1, 2]), "number": torch.tensor(3)}, True),
        ({"tensor": torch.tensor([1, 0])}, False),
        ({"number": torch.tensor(4)}, False),
        ({"list": [1]}, False),
        ({"b": 1}, False),
    ],
)
def test_a_dict_contains_a_subset(subset, contained):
    whole = {
        "a": 1,
        "list": [1, 2],
        "array": np.array([1, 2]),
        "tensor": torch.tensor([1, 2]),
        "number": torch.tensor(3),
    }
    assert testing.assert_dict_contains_subset(whole, subset) is contained
    thing = type("Thing", (), whole)
    assert testing.assert_attrs_equal(thing, subset) is contained


def test_keys():
    assert testing.assert_dict_has_keys({"a": 1, "b": 2}, ["a"])
    assert not testing.assert_dict_has_keys({"a": 1}, ["a", "b"])
    assert testing.assert_keys_equal(["a", "b"], ["b", "a"])
    assert not testing.assert_keys_equal(["a", "b"], ["a"])


def test_layers():
    for layer in (nn.BatchNorm2d(1), nn.InstanceNorm1d(1), nn.GroupNorm(1, 1), nn.LayerNorm(1)):
        assert testing.assert_is_norm_layer(layer)
    assert not testing.assert_is_norm_layer(nn.Linear(1, 1))
    layer = nn.Linear(2, 1)
    assert not testing.assert_params_all_zeros(layer)
    nn.init.zeros_(layer.weight)
    assert not testing.assert_params_all_zeros(layer)
    nn.init.zeros_(layer.bias)
    assert testing.assert_params_all_zeros(layer)
    assert testing.assert_params_all_zeros(nn.Embedding(2, 2, _weight=torch.zeros(2, 2)))


def test_a_script_runs_in_this_process(tmp_path):
    script = tmp_path / "s p.py"
    script.write_text(
        "import sys\nsys.seen = (sys.argv[1:], __name__)\nif len(sys.argv) > 2: sys.exit(3)\n"
    )
    before = sys.argv
    try:
        testing.check_python_script(f"python '{script}' one")
        assert sys.seen == (["one"], "__main__")
        with pytest.raises(SystemExit):
            testing.check_python_script(f"'{script}' one two")
    finally:
        del sys.seen
    assert sys.argv is before
