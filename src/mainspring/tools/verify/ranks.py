"""Train in one process or as one of two, with the same global batches."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from torch import nn

from mainspring.checkpoint.apply import unwrap
from mainspring.dist import barrier, destroy_dist
from mainspring.hooks import CheckpointHook
from mainspring.hooks.run import Run
from mainspring.runner import Runner
from mainspring.structures.nested_digest import leaf_in_short, named_leaves
from mainspring.tools.trial import EnoughError, Watch, train_watched
from mainspring.tools.verify.job import Job, NotApplicableError
from mainspring.tools.verify.observation import Observation
from mainspring.tools.verify.trial_run import (
    GeneratorWatch,
    Gradients,
    nature_of,
    rebuilt,
    run_of,
    without_dropout,
)

__all__ = ["train_as_rank"]


def train_as_rank(read: Callable[[], Any], job: Job) -> None:
    """Train a few iterations and write items, gradients of each step, and weights.

    Args:
        read: Reads the user's config.
        job: The trial; with two processes each gets batches of half the size.

    Raises:
        NotApplicableError: The batches cannot be halved.
    """
    cfg = read()
    section = rebuilt(cfg.get("train_dataloader"), 0)
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
    cfg["train_dataloader"] = section
    for name in ("compile", "val_cfg", "val_dataloader", "val_evaluator"):
        if name in cfg:
            cfg[name] = None
    runner = run_of(cfg, job)
    if any(isinstance(module, nn.SyncBatchNorm) for module in runner.model.modules()):
        raise NotApplicableError("SyncBatchNorm needs GPUs, and this check uses the CPU")
    runner.hooks[:] = [hook for hook in runner.hooks if not isinstance(hook, CheckpointHook)]
    watch = _Rank(job, size)
    watch.record_items(runner)
    without_dropout(runner.model)
    train_watched(runner, watch)
    seen, model = watch.seen, unwrap(runner.model)
    seen.tensors = watch.gradients.tensors | {
        f"weight {name}": parameter.detach().cpu().clone()
        for name, parameter in model.named_parameters()
    }
    seen.facts |= {"draws": watch.draws.moved, **nature_of(runner)}
    seen.write(Path(job.folder) / "end")
    barrier()
    del runner, watch, model
    destroy_dist()


class _Rank(Watch):
    """Notes the items of each batch and the gradients of each step, and ends the training."""

    def __init__(self, job: Job, global_batch: int) -> None:
        self._iterations = job.iterations
        self._global_batch = global_batch
        self.seen = Observation()
        self.gradients: Gradients
        self.draws = GeneratorWatch()
        self._items: list[str] = []

    def record_items(self, runner: Runner) -> None:
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
            for item in items:
                leaves = named_leaves(item, dotted=True)
                self._items.append(", ".join(f"{path} {leaf_in_short(it)}" for path, it in leaves))
            return collate(items)

        loader.collate_fn = recording
        runner._sections["train_dataloader"] = loader

    def before_train(self, runner: Run) -> None:
        self.gradients = Gradients(runner.model, runner.optim_wrapper)

    def before_train_iter(self, runner: Run, batch_idx: int, data_batch: Any = None) -> None:
        # What was put together so far is this batch: nothing loads ahead in this process.
        for item in self._items:
            self.seen.add(runner.iter + 1, "item", item)
        self._items.clear()
        self.draws.begin()

    def step_ended(self, runner: Run) -> None:
        self.draws.end()

    def after_train_iter(
        self, runner: Run, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        if runner.iter + 1 >= self._iterations:
            self.seen.facts["iterations"] = runner.iter + 1
            raise EnoughError
