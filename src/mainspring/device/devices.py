"""Which devices this machine has, and which one a model goes to."""

from __future__ import annotations

import functools
import importlib
import importlib.util

import torch

__all__ = [
    "get_device",
    "get_max_cuda_memory",
    "get_max_musa_memory",
    "is_cuda_available",
    "is_dipu_available",
    "is_mlu_available",
    "is_mps_available",
    "is_musa_available",
    "is_npu_available",
    "is_npu_support_full_precision",
]


def _plugin_available(package: str, name: str) -> bool:
    """Whether a device that a torch plug-in adds is there."""
    if importlib.util.find_spec(package) is None:
        return False
    try:
        importlib.import_module(package)
    except ImportError:
        return False
    module = getattr(torch, name, None)
    return bool(module is not None and module.is_available())


def is_cuda_available() -> bool:
    """Whether there is a CUDA (or ROCm) device."""
    return torch.cuda.is_available()


@functools.cache
def is_npu_available() -> bool:
    """Whether there is an Ascend device."""
    return _plugin_available("torch_npu", "npu")


@functools.cache
def is_mlu_available() -> bool:
    """Whether there is a Cambricon device."""
    return _plugin_available("torch_mlu", "mlu")


@functools.cache
def is_dipu_available() -> bool:
    """Whether there is a device of the DIPU plug-in."""
    return importlib.util.find_spec("torch_dipu") is not None


@functools.cache
def is_musa_available() -> bool:
    """Whether there is a Moore Threads device."""
    return _plugin_available("torch_musa", "musa")


def is_mps_available() -> bool:
    """Whether there is an Apple GPU."""
    return torch.backends.mps.is_available()


def is_npu_support_full_precision() -> bool:
    """Whether the Ascend device computes in full precision (910B and later)."""
    if not is_npu_available():
        return False
    version: int = torch.npu.utils.get_soc_version()  # type: ignore[attr-defined]  # - of a plug-in
    return version >= 220


def get_device() -> str:
    """The best device of this machine: npu, cuda, mlu, mps, dipu, musa, else cpu."""
    for name, available in (
        ("npu", is_npu_available),
        ("cuda", is_cuda_available),
        ("mlu", is_mlu_available),
        ("mps", is_mps_available),
        ("dipu", is_dipu_available),
        ("musa", is_musa_available),
    ):
        if available():
            return name
    return "cpu"


def get_max_cuda_memory(device: torch.device | None = None) -> int:
    """Most memory in use since the last call, in MB; the peak is reset."""
    peak = torch.cuda.max_memory_allocated(device=device)
    torch.cuda.reset_peak_memory_stats(device)
    return int(peak / (1024 * 1024))


def get_max_musa_memory(device: torch.device | None = None) -> int:
    """Most memory in use since the last call on a Moore Threads device, in MB; resets the peak."""
    musa = torch.musa  # type: ignore[attr-defined]  # - of a plug-in
    peak = musa.max_memory_allocated(device=device)
    musa.reset_peak_memory_stats(device)
    return int(peak / (1024 * 1024))
