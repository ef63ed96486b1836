"""Train in one process or as one of two, with the same global batches."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.dist import barrier, destroy_dist
from mainspring.hooks import CheckpointHook, Hook
from mainspring.verify.job import Job, NotApplicableError
from mainspring.verify.observation import Observation, describe_leaf, leaves
from mainspring.verify.trial_run import (
    GeneratorWatch,
    Gradients,
    as_trial,
    build_runner,
    nature_of,
    single_optimizer,
    with_workers,
    without_dropout,
)

__all__ = ["train_as_rank"]


class _EnoughError(Exception):
    """Ends a training from within."""


def train_as_rank(cfg: Any, job: Job) -> None:
    """Train a few iterations and write items, gradients of each step, and weights.

    Args:
        cfg: The user's config.
        job: The trial; with two processes each gets batches of half the size.

    Raises:
        NotApplicableError: The batches cannot be halved.
    """
    section = with_workers(cfg.get("train_dataloader"), 0)
    batch_sampler = section.get("batch_sampler")
    has_own_size = isinstance(batch_sampler, Mapping) and "batch_size" in batch_sampler
    sized: Any = batch_sampler if has_own_size else section
    size = sized.get("batch_size")
    if not isinstance(size, int):
        raise NotApplicableError("train_dataloader does not say its batch_size")
    if size % 2:
        raise NotApplicableError(f"a batch of {size} cannot be dealt out to two ranks in halves")
    sized["batch_size"] = size // (job.world_size or 1)
    if cfg.get("sync_bn"):
        raise NotApplicableError("sync_bn needs GPUs, and this check uses the CPU")
    cfg = as_trial(cfg, job)
    cfg["train_dataloader"] = section
    for name in ("compile", "val_cfg", "val_dataloader", "val_evaluator"):
        if name in cfg:
            cfg[name] = None
    runner = build_runner(cfg)
    if any(isinstance(module, nn.SyncBatchNorm) for module in runner.model.modules()):
        raise NotApplicableError("SyncBatchNorm needs GPUs, and this check uses the CPU")
    for hook in [hook for hook in runner.hooks if isinstance(hook, CheckpointHook)]:
        runner.hooks.remove(hook)
    last = _Last(job, size)
    runner.hooks.insert(0, _First(last))
    runner.hooks.append(last)
    last.record_items(runner)
    without_dropout(runner.model)
    with contextlib.suppress(_EnoughError):
        runner.train()
    seen = last.seen
    model = unwrap(runner.model)
    seen.tensors = last.gradients.tensors | {
        f"weight {name}": parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
    }
    seen.facts |= {"draws": last.watch.moved, **nature_of(runner)}
    seen.write(Path(job.folder) / "end")
    barrier()
    del runner, last, model
    destroy_dist()


class _First(Hook):
    """Stands before all other hooks."""

    priority = "HIGHEST"

    def __init__(self, last: _Last) -> None:
        self._last = last

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        self._last.watch.end()


class _Last(Hook):
    """Stands behind all other hooks."""

    priority = "LOWEST"

    def __init__(self, job: Job, global_batch: int) -> None:
        self._iterations = job.iterations
        self._global_batch = global_batch
        self.seen = Observation()
        self.gradients: Gradients
        self.watch = GeneratorWatch()
        self._items: list[str] = []

    def record_items(self, runner: Any) -> None:
        """Note each item that the loader puts into a batch."""
        loader = runner.ready_dataloader(runner._sections["train_dataloader"])
        with contextlib.suppress(TypeError):
            # An incomplete batch cannot be dealt out evenly.
            whole_batches = len(loader.dataset) // self._global_batch
            if not whole_batches:
                raise NotApplicableError(f"the data set has less than {self._global_batch} samples")
            self._iterations = min(self._iterations, whole_batches)
        collate = loader.collate_fn

        def recording(items: Any) -> Any:
            self._items += [_one_line(item) for item in items]
            return collate(items)

        loader.collate_fn = recording
        runner._sections["train_dataloader"] = loader

    def before_train(self, runner: Any) -> None:
        self.gradients = Gradients(runner.model)
        optimizer = single_optimizer(runner.optim_wrapper)
        optimizer.register_step_pre_hook(self.gradients.take)

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        # What was put together so far is this batch: nothing loads ahead in this process.
        for item in self._items:
            self.seen.add(runner.iter + 1, "item", item)
        self._items.clear()
        self.watch.begin()

    def after_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if runner.iter + 1 >= self._iterations:
            self.seen.facts["iterations"] = runner.iter + 1
            raise _EnoughError


def _one_line(item: Any) -> str:
    return ", ".join(f"{path} {describe_leaf(leaf)}".strip() for path, leaf in leaves(item))
