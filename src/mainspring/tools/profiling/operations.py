"""Floating point operations and calls of operators in a block of code."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["OperationCount", "flop_counter"]


def flop_counter() -> FlopCounterMode:
    """Torch's counter of floating point operations, which knows the CPU's attention as well."""
    counter = FlopCounterMode(display=False)
    known: dict[Any, Any] = counter.flop_registry
    aten, name = torch.ops.aten, "_scaled_dot_product_flash_attention"
    for end in ("", "_backward"):
        known[getattr(aten, f"{name}_for_cpu{end}")] = known[getattr(aten, name + end)]
    return counter


class OperationCount(TorchDispatchMode):  # type: ignore[no-untyped-call]  # - torch's is untyped
    """Counts what runs within a ``with`` block, backward passes included.

    A product of an m x k by a k x n matrix counts 2 m k n. Counted are products, convolutions and
    attention, as by `torch.utils.flop_counter`; elementwise operations are not.

    Attributes:
        flops: Floating point operations, once the block has ended.
        calls: Calls of operators that compute or copy; views cost a device nothing.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        self.flops = 0
        self.calls = 0
        self._counter: Any = flop_counter()

    def __enter__(self) -> Self:
        super().__enter__()  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        self._counter.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._counter.__exit__(*error)
        super().__exit__(*error)  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        self.flops = int(self._counter.get_total_flops())

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.calls += not getattr(func, "is_view", False)
        return func(*args, **(kwargs or {}))
