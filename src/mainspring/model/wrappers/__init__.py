"""Wrappers that put a model on several processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mainspring.model.wrappers.distributed import MMDistributedDataParallel
from mainspring.model.wrappers.is_model_wrapper import is_model_wrapper
from mainspring.model.wrappers.separate_distributed import MMSeparateDistributedDataParallel
from mainspring.registry import MODEL_WRAPPERS

if TYPE_CHECKING:
    from mainspring.model.wrappers.fully_sharded import MMFullyShardedDataParallel

__all__ = [
    "MMDistributedDataParallel",
    "MMFullyShardedDataParallel",
    "MMSeparateDistributedDataParallel",
    "is_model_wrapper",
]


@MODEL_WRAPPERS.register_module(name="MMFullyShardedDataParallel")
def _fully_sharded(module: Any, **kwargs: Any) -> Any:
    """Stand for the class until it is needed: importing torch's FSDP takes more than a second."""
    return __getattr__("MMFullyShardedDataParallel")(module, **kwargs)


def __getattr__(name: str) -> Any:
    if name == "MMFullyShardedDataParallel":
        from mainspring.model.wrappers.fully_sharded import MMFullyShardedDataParallel

        return MMFullyShardedDataParallel
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
