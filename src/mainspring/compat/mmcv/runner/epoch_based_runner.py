"""MMCV's runner by epochs."""

from __future__ import annotations

from typing import Any

import torch

from mainspring.compat.mmcv.runner.base_runner import BaseRunner
from mainspring.compat.mmcv.runner.builder import RUNNERS
from mainspring.compat.mmcv.runner.utils import deprecated

__all__ = ["EpochBasedRunner", "Runner"]


@RUNNERS.register_module()
class EpochBasedRunner(BaseRunner):
    """Trains epoch by epoch; arguments as those of `BaseRunner`."""

    def run_iter(self, data_batch: Any, train_mode: bool, **kwargs: Any) -> None:
        """Take a batch through the model, between the hooks of an iteration."""
        self.data_batch = data_batch
        self._step(train_mode, self.optimizer, **kwargs)

    def train(self, data_loader: Any, **kwargs: Any) -> None:
        """Train for an epoch."""
        self._enter("train", data_loader)
        self._max_iters = (self._max_epochs or 0) * len(data_loader)
        self.call_hook("before_train_epoch")
        for self._inner_iter, batch in enumerate(data_loader):
            self.run_iter(batch, train_mode=True, **kwargs)
            self._iter += 1
        self.call_hook("after_train_epoch")
        self._epoch += 1

    @torch.no_grad()
    def val(self, data_loader: Any, **kwargs: Any) -> None:
        """Validate for an epoch."""
        self._enter("val", data_loader)
        self.call_hook("before_val_epoch")
        for self._inner_iter, batch in enumerate(data_loader):
            self.run_iter(batch, train_mode=False)
        self.call_hook("after_val_epoch")

    def run(
        self,
        data_loaders: list[Any],
        workflow: list[tuple[str, int]],
        max_epochs: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Run phases in turn, such as ``[("train", 2), ("val", 1)]``, until the epochs are over."""
        length = self._begin(data_loaders, workflow, max_epochs)
        phases = list(zip(workflow, data_loaders, strict=True))
        training = [loader for (mode, _), loader in phases if mode == "train"]
        if training:
            self._max_iters = length * len(training[0])
        self.call_hook("before_run")
        self._take_turns(phases, length, **kwargs)
        self.call_hook("after_run")


@RUNNERS.register_module()
class Runner(EpochBasedRunner):
    """Older name of `EpochBasedRunner`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        deprecated("Runner", "use EpochBasedRunner")
        super().__init__(*args, **kwargs)
