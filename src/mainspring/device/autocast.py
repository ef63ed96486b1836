"""Mixed precision on whichever device there is."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from mainspring.device.devices import get_device
from mainspring.errors import ArgumentValueError

__all__ = ["autocast"]

_CPU_TYPES = (torch.bfloat16, torch.float16)


@contextmanager
def autocast(
    device_type: str | None = None,
    dtype: torch.dtype | None = None,
    enabled: bool = True,
    cache_enabled: bool | None = None,
) -> Iterator[None]:
    """Compute in lower precision inside a ``with`` block, where that is safe.

    Args:
        device_type: ``"cuda"``, ``"cpu"``, ...; the machine's best device by default.
        dtype: Type to compute in; bfloat16 on the CPU, float16 elsewhere by default.
        enabled: Whether to do so at all.
        cache_enabled: Whether to keep weights that were cast, as in `torch.autocast`.

    Raises:
        ArgumentValueError: The device cannot compute in that type.
    """
    device_type = device_type if device_type is not None else get_device()
    if device_type == "cpu":
        dtype = dtype if dtype is not None else torch.bfloat16
        if enabled and dtype not in _CPU_TYPES:
            raise ArgumentValueError(
                f"on the CPU autocast computes in torch.bfloat16 or torch.float16, not {dtype}"
            )
    elif dtype is None:
        dtype = torch.float16
    wants_bfloat16_on_cuda = enabled and device_type == "cuda" and dtype is torch.bfloat16
    if wants_bfloat16_on_cuda and not torch.cuda.is_bf16_supported():
        raise ArgumentValueError("this GPU does not compute in torch.bfloat16; use torch.float16")
    with torch.autocast(
        device_type=device_type, enabled=enabled, dtype=dtype, cache_enabled=cache_enabled
    ):
        yield
