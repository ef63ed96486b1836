"""The global generators of a process, and of the workers of a loader, seeded."""

from __future__ import annotations

import random
import warnings
from typing import Literal

import numpy as np
import torch

from mainspring.dist import get_rank, sync_random_seed
from mainspring.registry import FUNCTIONS

__all__ = ["SampleRng", "set_random_seed", "worker_init_fn"]

SampleRng = Literal["sample", "worker"]
"""Whether random numbers belong to the items, or to the worker that loads them."""


def set_random_seed(
    seed: int | None = None, deterministic: bool = False, diff_rank_seed: bool = False
) -> int:
    """Seed Python's, NumPy's and torch's generators.

    Args:
        seed: The seed; ``None`` draws one that all ranks share.
        deterministic: Also make torch choose deterministic algorithms, where it has them.
        diff_rank_seed: Add the rank to the seed, so that each rank draws other numbers.

    Returns:
        The seed that was used on this rank.
    """
    if seed is None:
        seed = sync_random_seed()
    if diff_rank_seed:
        seed += get_rank()
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 - users' transforms draw from the global generator
    torch.manual_seed(seed)
    torch.cuda.manual_seed_all(seed)
    if deterministic:
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True
        torch.use_deterministic_algorithms(True)
    return seed


@FUNCTIONS.register_module()
def worker_init_fn(
    worker_id: int, num_workers: int, rank: int, seed: int, disable_subprocess_warning: bool = False
) -> None:
    """Seed the generators of a worker process, each worker of each rank with a number of its own.

    Args:
        worker_id: Number of the worker within its loader.
        num_workers: Workers of one loader.
        rank: Rank of the process that the worker belongs to.
        seed: Seed of the run.
        disable_subprocess_warning: Whether all workers but the first keep their warnings quiet.
    """
    worker_seed = num_workers * rank + worker_id + seed
    np.random.seed(worker_seed)  # noqa: NPY002 - users' transforms draw from the global generator
    random.seed(worker_seed)
    torch.manual_seed(worker_seed)
    if disable_subprocess_warning and worker_id != 0:
        warnings.simplefilter("ignore")
