"""MMEngine's path of the strategy for fully sharded models."""

from __future__ import annotations

from mainspring._strategy.missing import Missing
from mainspring.registry import STRATEGIES, Registry
from mainspring.runner.strategies import DDPStrategy

__all__ = ["FSDP_CONFIGS", "FSDPStrategy"]

FSDP_CONFIGS = Registry("fsdp configs", scope="mainspring")


@STRATEGIES.register_module()
class FSDPStrategy(Missing, DDPStrategy):
    """A strategy for fully sharded models, which is missing.

    Args:
        *args: Not looked at.
        **kwargs: Not looked at.
    """

    instead = (
        "shard the model yourself (torch.distributed.fsdp.fully_shard), or write "
        "model_wrapper_cfg = dict(type='MMFullyShardedDataParallel') for Runner"
    )
