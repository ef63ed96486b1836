"""Logging ten scalars at every iteration, the way the engine writes scalars by itself."""

from __future__ import annotations

from typing import Any

from workloads.iteration import train_tiny
from workloads.setting import Setting

TITLE = "logging 10 scalars every iteration"
MODES = ("lean",)
FIGURES = {"us": ("", "cost")}
ALSO = ("bare_jsonl", "bare_tensorboard")
WITHOUT = ("bare_compiled",)


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Microseconds per iteration."""
    return train_tiny(engine, setting, blocks=1 if setting.quick else 3, scalars=True)
