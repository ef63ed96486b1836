"""The seed of a resumed run: that of its checkpoint, also for loaders that are built already.

A run that is given no seed draws one, and another one when it is started again. Whatever was made
with that one before the checkpoint was read has to take the seed of the checkpoint: the order of
the data, and the numbers that items draw in workers and in validation.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from mainspring.dataset import DataLoader
from mainspring.dataset.loader.resumable_loader import ResumableLoader
from mainspring.dist import get_rank
from mainspring.logging import IN_FILE, print_log, warn
from mainspring.rng.seeding import set_random_seed

if TYPE_CHECKING:
    from mainspring.runner.runner import Runner

__all__ = ["restore_seed"]


def restore_seed(runner: Runner, meta: Mapping[str, Any]) -> None:
    """Take over the seed of a checkpoint, before positions are restored.

    Args:
        runner: The run; its loops are built.
        meta: The ``meta`` of the checkpoint.
    """
    if meta.get("seed") is None:
        return
    before = runner.seed
    # The checkpoint has the seed of rank 0.
    own = get_rank() if runner._randomness.diff_rank_seed else 0
    seed = meta["seed"] + own
    if seed == before:
        return
    if runner._randomness.seed is None:  # drawn, which is nobody's wish
        print_log(f"the seed of the checkpoint, {seed}, is taken", "current", extra=IN_FILE)
    else:
        warn(f"the checkpoint was made with seed {seed}; it replaces this run's seed {before}")
    runner.use_seed(seed)
    set_random_seed(seed, runner.deterministic, False)
    source = getattr(runner.train_loop, "source", None)
    if isinstance(source, ResumableLoader) and source._seed is not None:
        source._seed = seed
    for loop in (runner.train_loop, runner.val_loop):
        for owner in getattr(loop, "sets", [loop]):
            loader = getattr(owner, "dataloader", None)
            _reseed(loader, before, seed)
            _reseed(loader, before - own, seed - own)


def _reseed(loader: Any, before: int, seed: int) -> None:
    """Let a loader that has the seed which the run began with have another one."""
    if isinstance(loader, DataLoader) and loader._seed == before:
        loader._use_seed(seed)
    batch_sampler = getattr(loader, "batch_sampler", None)
    inner = getattr(batch_sampler, "sampler", None)
    samplers: list[Any] = [getattr(loader, "sampler", None), batch_sampler, inner]
    for sampler in samplers:
        if getattr(sampler, "seed", None) == before:
            sampler.seed = seed
    init_fn = getattr(loader, "worker_init_fn", None)
    if isinstance(init_fn, functools.partial) and init_fn.keywords.get("seed") == before:
        keywords = {**init_fn.keywords, "seed": seed}
        loader.worker_init_fn = functools.partial(init_fn.func, *init_fn.args, **keywords)
    if getattr(loader, "_iterator", None) is not None:
        loader._iterator = None  # persistent workers, which were started with the other seed
