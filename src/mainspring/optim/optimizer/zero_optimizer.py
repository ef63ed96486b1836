"""An optimizer whose state is spread over the ranks (Rajbhandari et al., "ZeRO", 2020, stage 1)."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.optimizer import ParamsT

from mainspring.errors import ConfigError, did_you_mean
from mainspring.registry import OPTIMIZERS

with warnings.catch_warnings():
    # torch scripts some of its own functions here, and warns about itself.
    warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)
    from torch.distributed.optim import ZeroRedundancyOptimizer as _ZeroRedundancyOptimizer

__all__ = ["ZeroRedundancyOptimizer"]


@OPTIMIZERS.register_module(force=True)
class ZeroRedundancyOptimizer(_ZeroRedundancyOptimizer):
    """Each rank keeps the state of its share of the parameters.

    Args:
        params: Parameters, or parameter groups.
        optimizer_type: Name of the optimizer to spread, one of `torch.optim`.
        **kwargs: Its arguments.

    Raises:
        ConfigError: There is no optimizer of that name.

    Example:
        >>> optimizer = dict(type="ZeroRedundancyOptimizer", optimizer_type="Adam", lr=1e-3)
    """

    def __init__(
        self,
        params: ParamsT,
        optimizer_type: str,
        **kwargs: Any,
    ) -> None:
        optimizer_class = getattr(torch.optim, optimizer_type, None)
        if optimizer_class is None:
            raise ConfigError(
                f"optimizer_type is {optimizer_type!r}, which torch.optim does not have",
                help=did_you_mean(optimizer_type, vars(torch.optim)),
            )
        given: Any = params
        super().__init__(given, optimizer_class, **kwargs)

    def state_dict(self) -> dict[str, Any]:
        """The state of all shares, brought together on rank 0 (all ranks).

        Returns:
            On rank 0 what the spread optimizer would have; elsewhere an empty dict.
        """
        self.consolidate_state_dict(to=0)
        state: dict[str, Any] = super().state_dict() if self.rank == 0 else {}
        return state

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take this rank's share of the state that `state_dict` gave on rank 0.

        Args:
            state_dict: The whole state; it is not changed.
        """
        super().load_state_dict({**state_dict, "state": dict(state_dict["state"])})
        for parameter in [key for key, value in self.state.items() if value is None]:
            del self.state[parameter]  # torch's mark of what other ranks keep
