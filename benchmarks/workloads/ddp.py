"""The cost of an iteration in two processes that exchange gradients with gloo."""

from __future__ import annotations

import os
from typing import Any

from workloads.iteration import train_tiny
from workloads.setting import Setting

TITLE = "DDP over 2 gloo processes, engine's cost per iteration"
MODES = ("defaults", "lean")
FIGURES = {"us": ("", "cost")}
PROCESSES = 2
WITHOUT = ("bare_compiled", "ours_compiled")


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Microseconds per iteration, on rank 0."""
    rank = int(os.environ["RANK"])
    blocks = 1 if setting.quick else 3
    return train_tiny(engine, setting, blocks, rank=rank, distributed=True)
