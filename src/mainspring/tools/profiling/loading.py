"""What loading a batch costs in this process, and what handing one over from a worker costs."""

from __future__ import annotations

import pickle
import statistics
import time
from typing import Any

import numpy as np
from torch.utils.data import DataLoader

__all__ = ["handover_seconds", "loading_seconds"]

_BATCHES = 10
_LOADED = 3
_TIMEOUT = 10.0


def handover_seconds(batch: Any, batches: int = _BATCHES) -> float:
    """Seconds from batch to batch of a worker process that has nothing to load.

    Args:
        batch: A batch, as a loader gave it.
        batches: How many to hand over; the median counts.

    Returns:
        The seconds; 0 where the batch cannot be handed over this way.
    """
    if batch is None:
        return 0.0
    try:
        pickle.dumps(batch)  # A worker that fails to would leave the loader waiting.
        # The same batch again and again is handed over without being loaded.
        same: Any = [batch] * (batches + 1)
        loader = DataLoader(same, batch_size=None, num_workers=1, timeout=_TIMEOUT)
        moments = [time.perf_counter() for _ in loader]
    except Exception:  # noqa: BLE001 - whatever a batch holds, a profile is no reason to fail
        return 0.0
    return float(np.median(np.diff(moments)))


def loading_seconds(loader: Any, batches: int = _LOADED) -> float | None:
    """Seconds of loading a batch in this process, for a loader that does it in others.

    Args:
        loader: The loader, with a data set that has items.
        batches: How many to load; the first one warms up, and the median of the others counts.

    Returns:
        The seconds; ``None`` where the loader cannot be looked into.
    """
    sampler = getattr(loader, "batch_sampler", None)
    collate = getattr(loader, "collate_fn", None)
    if sampler is None or collate is None or not hasattr(loader.dataset, "__getitem__"):
        return None
    seconds = []
    try:
        indices = list(next(iter(sampler)))
        for _ in range(batches + 1):
            start = time.perf_counter()
            collate([loader.dataset[index] for index in indices])
            seconds.append(time.perf_counter() - start)
    except Exception:  # noqa: BLE001 - a data set may work in workers only
        return None
    return statistics.median(seconds[1:])
