"""Start: the import alone, process start to first training step, and memory."""

from __future__ import annotations

import importlib
import resource
import time

from workloads.setting import Setting

TITLE = "start"
MODES = ("defaults",)
PHASES = ("import", "first")
FIGURES = {
    "import_s": ("import of the package", "seconds"),
    "parts_s": ("import of what trains", "seconds"),
    "first_s": ("process start to first step", "seconds"),
    "rss_mb": ("peak memory", "MB"),
}
WITHOUT = ("ours_compiled", "bare_compiled")
PACKAGES = {"bare": "torch", "ours": "mainspring", "trainer_": "transformers"}
PARTS = {
    "bare": "torch",
    "ours": "mainspring.runner",
    "mmengine_": "mmengine.runner",
    "ignite_": "ignite.engine",
    "lightning_": "lightning.pytorch",
    "accelerate_": "accelerate",
    "trainer_": "transformers.trainer",
}


def measure_start(module: str, setting: Setting) -> dict[str, float]:
    """Called before anything heavy is imported, in a process that did nothing else."""
    if setting.phase == "import":
        begin = time.perf_counter()
        importlib.import_module(PACKAGES.get(module, module.rstrip("_")))
        package = time.perf_counter()
        importlib.import_module(PARTS[module])
        return {"import_s": package - begin, "parts_s": time.perf_counter() - begin}
    engine = importlib.import_module(f"engines.{module}")
    import torch
    from engines.job import Batches, Job

    from workloads.parts import random_batches, tiny_mlp

    torch.set_num_threads(1)
    train = Batches(random_batches(20), 20)
    job = Job(
        net=tiny_mlp(),
        loss=torch.nn.functional.cross_entropy,
        train=train,
        work_dir=setting.work_dir,
        iterations=20,
    )
    engine.fit(job)
    to_wall_clock = time.time() - time.perf_counter()
    return {
        "first_s": train.asked[1] + to_wall_clock - setting.started,
        "rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
