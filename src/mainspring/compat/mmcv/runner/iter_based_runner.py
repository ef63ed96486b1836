"""MMCV's runner by iterations."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from mainspring.compat.mmcv.runner.base_runner import BaseRunner
from mainspring.compat.mmcv.runner.builder import RUNNERS
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.runner.run_length import EndlessBatches

__all__ = ["IterBasedRunner", "IterLoader"]


class IterLoader(EndlessBatches):
    """Batches without end: a loader from the beginning whenever it is used up.

    Args:
        dataloader: The loader.
    """

    def __init__(self, dataloader: Any) -> None:
        source = ResumableLoader(dataloader)
        source.compares_ranks = False
        super().__init__(source)

    iter_loader = property(lambda self: self._batches, doc="The batches of this pass.")

    def __len__(self) -> int:
        return len(self.loader)

    def state_dict(self) -> dict[str, Any]:
        """Where it is: the pass, how that began, the batches of it that were given out."""
        state = self._source.state_dict()
        if "start" in state:
            state["is_drawn"] = True
        return {"epoch": self.epoch, "given": self.delivered, "source": state}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go where another one was."""
        self._source.load_state_dict(state["source"], state["epoch"], state["given"])
        super().__init__(self._source, state["epoch"], state["given"])


@RUNNERS.register_module()
class IterBasedRunner(BaseRunner):
    """Trains iteration by iteration; arguments as those of `BaseRunner`."""

    by_epoch = False
    _loaders: tuple[IterLoader, ...] = ()
    _places: tuple[Mapping[str, Any], ...] = ()

    def train(self, data_loader: IterLoader, **kwargs: Any) -> None:
        """Train for an iteration."""
        self._enter("train", data_loader)
        self._epoch = data_loader.epoch
        self.data_batch = next(data_loader)
        self._step(True, self.optimizer, **kwargs)
        self._inner_iter += 1
        self._iter += 1

    @torch.no_grad()
    def val(self, data_loader: IterLoader, **kwargs: Any) -> None:
        """Validate for an iteration."""
        self._enter("val", data_loader)
        self.data_batch = next(data_loader)
        self._step(False, **kwargs)
        self._inner_iter += 1

    def run(
        self,
        data_loaders: list[Any],
        workflow: list[tuple[str, int]],
        max_iters: int | None = None,
        **kwargs: Any,
    ) -> None:
        """Run phases in turn, such as ``[("train", 100), ("val", 10)]``, until the run is over."""
        length = self._begin(data_loaders, workflow, max_iters)
        self.call_hook("before_run")
        self._loaders = tuple(map(IterLoader, data_loaders))
        for loader, place in zip(self._loaders, self._places, strict=False):
            loader.load_state_dict(place)
        self._places = ()
        self.call_hook("before_epoch")
        self._take_turns(list(zip(workflow, self._loaders, strict=True)), length, **kwargs)
        self.call_hook("after_epoch")
        self.call_hook("after_run")

    def _resume_data(self, own: Mapping[str, Any]) -> None:
        self._inner_iter = self._iter
        self._places = tuple(own.get("loaders", ()))

    def save_checkpoint(  # type: ignore[override]  # - MMCV has another order here
        self,
        out_dir: str,
        filename_tmpl: str = "iter_{}.pth",
        meta: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        create_symlink: bool = True,
    ) -> None:
        """Write a checkpoint, and let ``latest.pth`` lead to it."""
        super().save_checkpoint(out_dir, filename_tmpl, save_optimizer, meta, create_symlink)

    def _state_of_rank(self) -> dict[str, Any]:
        places = [loader.state_dict() for loader in self._loaders]
        return {**super()._state_of_rank(), "loaders": places}
