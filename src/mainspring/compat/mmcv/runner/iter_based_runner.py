"""MMCV's runner by iterations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch

from mainspring.compat.mmcv.runner.base_runner import BaseRunner
from mainspring.compat.mmcv.runner.builder import RUNNERS
from mainspring.rng.states import RandomStates

__all__ = ["IterBasedRunner", "IterLoader"]


class IterLoader:
    """Batches without end: a loader from the beginning whenever it is used up.

    Args:
        dataloader: The loader.
    """

    def __init__(self, dataloader: Any) -> None:
        self._dataloader = dataloader
        self._epoch = 0
        self._begin_pass()

    @property
    def epoch(self) -> int:
        """How often the loader was used up."""
        return self._epoch

    def _begin_pass(self) -> None:
        self._started_with = RandomStates.capture(devices=False)
        self._given = 0
        self.iter_loader: Iterator[Any] = iter(self._dataloader)

    def __next__(self) -> Any:
        try:
            batch = next(self.iter_loader)
        except StopIteration:
            self._epoch += 1
            self._set_epoch()
            self._begin_pass()
            batch = next(self.iter_loader)
        self._given += 1
        return batch

    def _set_epoch(self) -> None:
        sampler: Any = getattr(self._dataloader, "sampler", None)
        if hasattr(sampler, "set_epoch"):
            sampler.set_epoch(self._epoch)

    def __len__(self) -> int:
        return len(self._dataloader)

    def state_dict(self) -> dict[str, Any]:
        """Where it is: the pass, the random numbers that it began with, the batches it gave."""
        return {
            "epoch": self._epoch,
            "started_with": self._started_with.state_dict(),
            "given": self._given,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go where another one was; batches that it gave are loaded and let go."""
        self._epoch = state["epoch"]
        self._set_epoch()
        RandomStates.from_state_dict(state["started_with"]).restore()
        self._begin_pass()
        for _ in range(state["given"]):
            next(self)


@RUNNERS.register_module()
class IterBasedRunner(BaseRunner):
    """Trains iteration by iteration; arguments as those of `BaseRunner`."""

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
        length = self._begin(data_loaders, workflow, "iters", max_iters)
        self.call_hook("before_run")
        self._loaders = tuple(map(IterLoader, data_loaders))
        for loader, place in zip(self._loaders, self._places, strict=False):
            loader.load_state_dict(place)
        self._places = ()
        self.call_hook("before_epoch")
        self._restore_states()
        while self.iter < length:
            for (mode, iters), loader in zip(workflow, self._loaders, strict=True):
                self._inner_iter = 0
                for _ in range(iters):
                    if mode == "train" and self.iter >= length:
                        break
                    getattr(self, mode)(loader, **kwargs)
        self.call_hook("after_epoch")
        self.call_hook("after_run")

    def _resume_data(self, own: Mapping[str, Any]) -> None:
        self._inner_iter = self._iter
        self._places = tuple(own.get("loaders", ()))

    def save_checkpoint(
        self,
        out_dir: str,
        filename_tmpl: str = "iter_{}.pth",
        meta: dict[str, Any] | None = None,
        save_optimizer: bool = True,
        create_symlink: bool = True,
    ) -> None:
        """Write a checkpoint, and let ``latest.pth`` lead to it."""
        filename = filename_tmpl.format(self.iter + 1)
        self._save(out_dir, filename, save_optimizer, meta, create_symlink)

    def _state_of_rank(self) -> dict[str, Any]:
        places = [loader.state_dict() for loader in self._loaders]
        return {**super()._state_of_rank(), "loaders": places}

    def register_training_hooks(
        self,
        lr_config: Any,
        optimizer_config: Any = None,
        checkpoint_config: Any = None,
        log_config: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        """Add the hooks that a training usually has; they count iterations."""
        for config in (checkpoint_config, lr_config, *(log_config or {}).get("hooks", ())):
            if isinstance(config, dict):
                config.setdefault("by_epoch", False)
        super().register_training_hooks(
            lr_config, optimizer_config, checkpoint_config, log_config, *args, **kwargs
        )
