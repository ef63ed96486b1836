"""Floating point operations and calls of operators in a block of code."""

from __future__ import annotations

from typing import Any, Self

from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

__all__ = ["OperationCount"]


class OperationCount:
    """Counts what runs within a ``with`` block, backward passes included.

    A product of an m x k by a k x n matrix counts 2 m k n. Counted are products, convolutions and
    attention, as by `torch.utils.flop_counter`; elementwise operations are not.

    Attributes:
        flops: Floating point operations.
        calls: Calls of operators.
    """

    def __init__(self) -> None:
        self.flops = 0
        self.calls = 0
        self._counter: Any = FlopCounterMode(display=False)
        self._calls: Any = _Calls()

    def __enter__(self) -> Self:
        self._calls.__enter__()
        self._counter.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._counter.__exit__(*error)
        self._calls.__exit__(*error)
        self.flops = int(self._counter.get_total_flops())
        self.calls = self._calls.count


class _Calls(TorchDispatchMode):  # type: ignore[no-untyped-call]  # - torch leaves it untyped
    """Counts operators that compute or copy; views cost a device nothing."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # - torch leaves it untyped
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not getattr(func, "is_view", False):
            self.count += 1
        return func(*args, **(kwargs or {}))
