"""Which device is the best, and what its memory counters say."""

from __future__ import annotations

import pytest
import torch

from mainspring import device
from mainspring.device import devices

ORDER = ("npu", "cuda", "mlu", "mps", "dipu", "musa")


@pytest.mark.parametrize("first", range(len(ORDER) + 1))
def test_accelerators_are_preferred_in_a_fixed_order(monkeypatch, first):
    for index, name in enumerate(ORDER):
        monkeypatch.setattr(devices, f"is_{name}_available", lambda there=index >= first: there)
    assert device.get_device() == [*ORDER, "cpu"][first]


@pytest.mark.parametrize("name", ["npu", "mlu", "dipu", "musa"])
def test_a_plug_in_that_is_not_installed_is_no_device(name):
    available = getattr(device, f"is_{name}_available")
    available.cache_clear()
    assert available() is False


def test_cuda_and_mps_are_what_torch_says():
    assert device.is_cuda_available() == torch.cuda.is_available()
    assert device.is_mps_available() == torch.backends.mps.is_available()
    assert device.is_npu_support_full_precision() is False


def test_reading_the_peak_of_memory_resets_it(monkeypatch):
    peaks = {"cuda:0": 3 * 1024 * 1024 + 5}
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: peaks[device])
    monkeypatch.setattr(
        torch.cuda, "reset_peak_memory_stats", lambda device: peaks.update({device: 0})
    )
    assert [device.get_max_cuda_memory("cuda:0") for _ in range(2)] == [3, 0]
