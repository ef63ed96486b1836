"""An optimizer whose state is spread over the ranks (Rajbhandari et al., "ZeRO", 2020, stage 1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.distributed.optim import ZeroRedundancyOptimizer as _ZeroRedundancyOptimizer

from mainspring.registry import OPTIMIZERS

__all__ = ["ZeroRedundancyOptimizer"]


@OPTIMIZERS.register_module(force=True)
class ZeroRedundancyOptimizer(_ZeroRedundancyOptimizer):
    """Each rank keeps the state of its share of the parameters.

    Args:
        params: Parameters, or parameter groups.
        optimizer_type: Name of the optimizer to spread, one of `torch.optim`.
        **kwargs: Its arguments.
    """

    def __init__(
        self,
        params: Iterable[torch.Tensor] | list[dict[str, Any]],
        optimizer_type: str,
        **kwargs: Any,
    ) -> None:
        optimizer_class = OPTIMIZERS.get(optimizer_type)
        super().__init__(params, optimizer_class, **kwargs)
