"""The cost of a batch of evaluation with accuracy, with data in memory."""

from __future__ import annotations

from typing import Any

from engines.job import Batches, Job, UnsupportedError
from torch import nn

from workloads.iteration import BLOCK, WARM_UP, per_iteration
from workloads.parts import random_batches, tiny_mlp
from workloads.setting import Setting

TITLE = "evaluation, engine's cost per batch"
MODES = ("defaults",)
FIGURES = {"us": ("", "cost")}
WITHOUT = ("bare_compiled", "ours_compiled")


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Microseconds per batch; the accuracy stands in for the loss."""
    data = random_batches(64)
    validation = Batches(data, WARM_UP + (2 if setting.quick else 6) * BLOCK + 1)
    job = Job(
        net=tiny_mlp(),
        loss=nn.functional.cross_entropy,
        train=Batches(data, 64),
        work_dir=setting.work_dir,
        iterations=64,
        validation=validation,
        variant=setting.variant,
    )
    if not hasattr(engine, "evaluate"):
        raise UnsupportedError("no evaluation loop")
    accuracy = engine.evaluate(job)
    return {"us": per_iteration(validation.asked), "loss": accuracy}
