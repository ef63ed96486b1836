"""Seeds of the loader's worker processes."""

from __future__ import annotations

import random
import warnings

import numpy as np
import torch

from mainspring.registry import FUNCTIONS

__all__ = ["worker_init_fn"]


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
