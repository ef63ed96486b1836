"""One sample, in a process of its own: `compare.py` starts it and reads its result."""

from __future__ import annotations

import importlib
import json
import os
import sys
from pathlib import Path

ENGINES = {
    "bare": ("bare", ""),
    "bare_tensorboard": ("bare", "tensorboard"),
    "bare_jsonl": ("bare", "jsonl"),
    "bare_compiled": ("bare_compiled", ""),
    "ours": ("ours", ""),
    "ours_async": ("ours", "async"),
    "ours_compiled": ("ours", "compiled"),
    "mmengine": ("mmengine_", ""),
    "ignite": ("ignite_", ""),
    "lightning": ("lightning_", ""),
    "accelerate": ("accelerate_", ""),
    "trainer": ("trainer_", ""),
}


def main() -> None:
    """Measure and write the figures into the file that is named in the order."""
    order = json.loads(sys.argv[1])
    result = Path(order["result"])
    try:
        figures = _measure(order)
    except BaseException as error:
        if not isinstance(error, Exception):
            raise
        kind = type(error).__name__
        key = "unsupported" if kind == "UnsupportedError" else "failed"
        result.write_text(json.dumps({key: f"{error}" if key != "failed" else f"{kind}: {error}"}))
        if key == "failed":
            raise
        return
    if int(os.environ.get("RANK", "0")) == 0:
        result.write_text(json.dumps(figures))


def _measure(order: dict[str, str]) -> dict[str, float]:
    from workloads.setting import Setting

    workload = importlib.import_module(f"workloads.{order['workload']}")
    module, variant = ENGINES[order["engine"]]
    setting = Setting(
        mode=order["mode"],
        variant=variant,
        work_dir=Path(order["work_dir"]),
        quick=bool(order["quick"]),
        phase=order["phase"],
        started=float(order["started"]),
    )
    if hasattr(workload, "measure_start"):
        figures: dict[str, float] = workload.measure_start(module, setting)
        return figures
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    return workload.measure(importlib.import_module(f"engines.{module}"), setting)


if __name__ == "__main__":
    main()
