"""How many floating point operations a second this machine reaches in a matrix product."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch

__all__ = ["MatmulPeak", "measure_matmul_peak"]

_SECONDS = 0.02
_SIZES = (128, 256, 512, 1024, 2048, 4096, 8192)


@dataclass(frozen=True, slots=True)
class MatmulPeak:
    """The fastest of some matrix products.

    Attributes:
        flops_per_second: Floating point operations a second, ``2 n^3`` for a product.
        size: Rows and columns of the matrices.
        dtype: Their type, such as ``float32``.
    """

    flops_per_second: float
    size: int
    dtype: str


def measure_matmul_peak(
    device: str, dtype: torch.dtype, seconds: float = _SECONDS
) -> MatmulPeak | None:
    """Multiply square matrices, doubling their size until a product takes some time.

    Args:
        device: Where to multiply.
        dtype: Type of the matrices.
        seconds: A product that takes as long is the last.

    Returns:
        The fastest; ``None`` when the device has no product of this type.
    """
    best: MatmulPeak | None = None
    for size in _SIZES:
        try:
            taken = _fastest(device, dtype, size)
        except RuntimeError:
            break
        rate = 2 * size**3 / taken
        if best is None or rate > best.flops_per_second:
            best = MatmulPeak(rate, size, str(dtype).removeprefix("torch."))
        if taken > seconds:
            break
    return best


def _fastest(device: str, dtype: torch.dtype, size: int, rounds: int = 3) -> float:
    """Seconds of the fastest product of a size; the first one warms up."""
    # Ones draw nothing from the generators of the run.
    left = torch.ones(size, size, device=device, dtype=dtype)
    right, out = torch.ones_like(left), torch.empty_like(left)
    moments = []
    with torch.no_grad():
        for _ in range(rounds + 1):
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            moments.append(time.perf_counter())
            torch.mm(left, right, out=out)
    return max(float(min(np.diff(moments[1:]))), 1e-9)
