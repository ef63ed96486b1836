"""Mixed precision on the CPU, which every machine has, and what is refused."""

from __future__ import annotations

import sys

import pytest
import torch

from mainspring.device import autocast
from mainspring.errors import MainspringError


def product_type(**options):
    with autocast(device_type="cpu", **options):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, torch.bfloat16),
        ({"dtype": torch.bfloat16}, torch.bfloat16),
        ({"dtype": torch.float16}, torch.float16),
        ({"cache_enabled": False}, torch.bfloat16),
        ({"enabled": False}, torch.float32),
        ({"enabled": False, "dtype": torch.float64}, torch.float32),
    ],
)
def test_products_are_computed_in_the_type_asked_for(options, expected):
    assert product_type(**options) is expected
    assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is torch.float32


def test_the_device_is_the_best_one_if_none_is_named(monkeypatch):
    module = sys.modules["mainspring.device.autocast"]  # the function hides it
    monkeypatch.setattr(module, "get_device", lambda: "cpu")
    with autocast():
        assert torch.is_autocast_enabled("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.int8])
@pytest.mark.parametrize("builtin", [ValueError, AssertionError, MainspringError])
def test_a_type_that_the_cpu_cannot_autocast_to_is_refused(dtype, builtin):
    with pytest.raises(builtin, match=f"not {dtype}"):
        product_type(dtype=dtype)


def test_bfloat16_is_refused_on_a_gpu_without_it(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    with pytest.raises(ValueError, match=r"use torch\.float16"), autocast("cuda", torch.bfloat16):
        pass


def test_an_error_inside_ends_the_mixed_precision():
    with pytest.raises(ZeroDivisionError), autocast("cpu"):
        1 / 0
    assert not torch.is_autocast_enabled("cpu")
