"""Gives cached accelerator memory back, where fragmentation makes that worth its time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mainspring.device import is_cuda_available, is_musa_available
from mainspring.hooks.hook import DATA_BATCH, Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["EmptyCacheHook"]


@HOOKS.register_module()
class EmptyCacheHook(Hook):
    """Empties the allocator's cache at chosen points.

    Args:
        before_epoch: Before each epoch of any mode.
        after_epoch: After each epoch of any mode.
        after_iter: After each iteration of any mode; slow.
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> custom_hooks = [EmptyCacheHook(after_epoch=True)]
    """

    def __init__(
        self,
        before_epoch: bool = False,
        after_epoch: bool = True,
        after_iter: bool = False,
        *,
        priority: int | str | Priority | None = None,
    ) -> None:
        self._take_priority(priority)
        self._do_before_epoch = before_epoch
        self._do_after_epoch = after_epoch
        self._do_after_iter = after_iter

    def _before_epoch(self, runner: Run, mode: str = "train") -> None:
        if self._do_before_epoch:
            _empty_cache()

    def _after_epoch(self, runner: Run, mode: str = "train") -> None:
        if self._do_after_epoch:
            _empty_cache()

    def _after_iter(
        self,
        runner: Run,
        batch_idx: int,
        data_batch: DATA_BATCH = None,
        outputs: Sequence[Any] | dict[str, Any] | None = None,
        mode: str = "train",
    ) -> None:
        if self._do_after_iter:
            _empty_cache()


def _empty_cache() -> None:
    if is_cuda_available():
        torch.cuda.empty_cache()
    elif is_musa_available():
        getattr(torch, "musa").empty_cache()  # noqa: B009 - added to torch by the vendor's package
