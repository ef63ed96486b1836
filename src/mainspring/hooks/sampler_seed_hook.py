"""Tells the sampler which epoch begins, so that every epoch has another order."""

from __future__ import annotations

from mainspring.dataset.any_loader import set_loader_epoch
from mainspring.hooks.hook import Hook
from mainspring.hooks.priority import Priority
from mainspring.hooks.run import Run
from mainspring.registry import HOOKS

__all__ = ["DistSamplerSeedHook"]


@HOOKS.register_module()
class DistSamplerSeedHook(Hook):
    """Calls ``set_epoch`` of the training sampler before each epoch.

    A sampler inside a batch sampler is found as well. Loops by iterations tell their sampler
    themselves at each pass through the data, because to the hooks they are one epoch.

    Args:
        priority: Place among the hooks of a point; by default that of the class.

    Example:
        >>> default_hooks = dict(sampler_seed=DistSamplerSeedHook())
    """

    def __init__(self, *, priority: int | str | Priority | None = None) -> None:
        self._take_priority(priority)

    def before_train_epoch(self, runner: Run) -> None:
        """Set the epoch."""
        loop = runner.train_loop
        if getattr(loop, "by_epoch", True):
            set_loader_epoch(loop.dataloader, runner.epoch)
