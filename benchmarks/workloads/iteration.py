"""The cost of an iteration of a tiny network, with data in memory."""

from __future__ import annotations

import itertools
import statistics
from typing import Any

from engines.job import Batches, Job
from torch import nn

from workloads.parts import loss_on, random_batches, tiny_mlp
from workloads.setting import Setting

TITLE = "engine's cost per iteration, tiny MLP"
MODES = ("defaults", "lean")
FIGURES = {"us": ("", "cost")}
WARM_UP = 500
BLOCK = 500


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Microseconds per iteration: the median over blocks of iterations."""
    return train_tiny(engine, setting, blocks=2 if setting.quick else 6)


def train_tiny(
    engine: Any, setting: Setting, blocks: int, rank: int = 0, **changes: Any
) -> dict[str, float]:
    """Train the tiny network, changed in some way."""
    data = random_batches(64, seed=rank)
    count = WARM_UP + blocks * BLOCK + 1
    train = Batches(data, count)
    job = Job(
        net=tiny_mlp(),
        loss=nn.functional.cross_entropy,
        train=train,
        work_dir=setting.work_dir,
        iterations=count,
        lean=setting.mode == "lean",
        variant=setting.variant,
        **changes,
    )
    engine.fit(job)
    return {"us": per_iteration(train.asked), "loss": loss_on(job.net, data[0])}


def per_iteration(asked: list[float]) -> float:
    """Microseconds between two requests for a batch, after the warm-up."""
    edges = asked[WARM_UP::BLOCK]
    blocks = [1e6 * (b - a) / BLOCK for a, b in itertools.pairwise(edges)]
    return statistics.median(blocks)
