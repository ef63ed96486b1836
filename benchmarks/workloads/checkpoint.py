"""A checkpoint of 600 MB of state: seconds that training is blocked, and seconds to load it."""

from __future__ import annotations

import itertools
import statistics
import time
from typing import Any

import torch
from engines.job import Batches, Job
from torch import nn

from workloads.setting import Setting

TITLE = "checkpoint of 600 MB"
MODES = ("lean",)
PHASES = ("save", "load")
FIGURES = {
    "blocked_s": ("training blocked", "seconds"),
    "delayed_s": ("training delayed, writing in the background included", "seconds"),
    "load_s": ("load", "seconds"),
}
ALSO = ("ours_async",)
WITHOUT = ("bare_compiled", "ours_compiled")
WIDTH = 2048
LAYERS = 12
SAVE_AT = 6
ITERATIONS = 11


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """In the first process, save while training; in the second, continue from it.

    Blocked is by how much the longest iteration from the checkpoint on is longer than those before;
    delayed is the same for all iterations from there on together. Loading is by how much later than
    in the first process the first batch is asked for.
    """
    torch.manual_seed(0)
    width = WIDTH // 8 if setting.quick else WIDTH
    net = nn.Sequential(*(nn.Linear(width, width) for _ in range(LAYERS)))
    train = Batches([(torch.randn(8, width), torch.randint(0, 10, (8,)))], ITERATIONS)
    job = Job(
        net=net,
        loss=nn.functional.cross_entropy,
        train=train,
        work_dir=setting.work_dir,
        iterations=ITERATIONS,
        learning_rate=1e-5,
        lean=True,
        save_at=SAVE_AT,
        resume=setting.phase == "load",
        variant=setting.variant,
    )
    begin = time.perf_counter()
    engine.fit(job)
    ready = train.asked[0] - begin
    fresh = setting.work_dir / "seconds_until_first_batch"
    if job.resume:
        return {"load_s": ready - float(fresh.read_text())}
    fresh.write_text(str(ready))
    lasted = [after - before for before, after in itertools.pairwise(train.asked)]
    usual = statistics.median(lasted[1 : SAVE_AT - 1])
    later = [each - usual for each in lasted[SAVE_AT - 1 :]]
    return {"blocked_s": max(later), "delayed_s": sum(later)}
