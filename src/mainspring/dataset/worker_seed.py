"""Seed the generators of a worker process, as MMEngine does it."""

from __future__ import annotations

import random
import warnings

import numpy as np
import torch

__all__ = ["worker_init_fn"]


def worker_init_fn(
    worker_id: int,
    num_workers: int,
    rank: int,
    seed: int,
    disable_subprocess_warning: bool = False,
) -> None:
    """Give every worker of every rank its own seed: ``num_workers * rank + worker_id + seed``.

    Args:
        worker_id: Number of the worker on its rank.
        num_workers: Workers of a rank.
        rank: Rank that the worker belongs to.
        seed: Seed of the run.
        disable_subprocess_warning: Whether workers but the first of rank 0 keep quiet.
    """
    own = num_workers * rank + worker_id + seed
    np.random.seed(own)  # noqa: NPY002 - users' transforms draw from the global generator
    random.seed(own)
    torch.manual_seed(own)
    if disable_subprocess_warning and worker_id != 0:
        warnings.simplefilter("ignore")
