"""How long reading and checking a config takes: python benchmarks/config/reading.py.

Prints, as medians over fresh processes: reading a base and a child for the first time and again,
without torch; and what `mainspring check` costs beyond importing torch, on the demo's config.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BASE = """
from torch.optim import AdamW
from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.optim import LinearLR, MultiStepLR, OptimWrapper
from zoo import Coco, ResNet, Resize, RetinaNet

epochs = 12
model = RetinaNet(backbone=ResNet(depth=50, frozen_stages=1), num_classes=80)
train_dataloader = DataLoader(
    Coco(ann_file="data/train.json", pipeline=[Resize((1333, 800))]),
    batch_size=2,
    sampler=later(DefaultSampler)(shuffle=True),
)
optim_wrapper = OptimWrapper(later(AdamW)(lr=2e-4, weight_decay=0.05), clip_grad=35.0)
param_scheduler = [
    later(LinearLR)(start_factor=1e-3, end=500, by_epoch=False),
    later(MultiStepLR)(milestones=[epochs * 2 // 3, epochs - 1], gamma=0.1),
]
"""
CHILD = """
from mainspring.config import edit
from zoo import ResNet
from .base import *

edit(model).backbone = ResNet(depth=101)
edit(train_dataloader).batch_size = 4
"""
READING = """
import statistics, sys, time
from mainspring.config import Config
def once():
    start = time.perf_counter()
    Config.fromfile(sys.argv[1])
    return 1000 * (time.perf_counter() - start)
first = once()
print(first, statistics.median(once() for _ in range(50)), int("torch" in sys.modules))
"""
CHECKING = """
import contextlib, io, sys, time
start = time.perf_counter()
import torch
torch_seconds = time.perf_counter() - start
start = time.perf_counter()
from mainspring.cli.main import main
with contextlib.redirect_stdout(io.StringIO()):
    main(["check", sys.argv[1]])
print(time.perf_counter() - start, torch_seconds)
"""


def measured(program: str, path: Path, rounds: int = 7) -> list[float]:
    """The medians of what a program prints, over fresh processes."""
    rows = []
    for _ in range(rounds):
        words = [sys.executable, "-c", program, str(path)]
        ran = subprocess.run(words, capture_output=True, text=True, check=True)
        rows.append([float(word) for word in ran.stdout.split()])
    return [statistics.median(column) for column in zip(*rows, strict=True)]


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "base.py").write_text(BASE, encoding="utf-8")
        (Path(folder) / "child.py").write_text(CHILD, encoding="utf-8")
        first, again, torch_imported = measured(READING, Path(folder) / "child.py")
    print(f"base and child, first time   {first:6.2f} ms   (to reach: 5)")
    print(f"base and child, again        {again:6.2f} ms")
    print(f"torch imported for it        {'yes' if torch_imported else 'no':>6}")
    beyond, torch_seconds = measured(CHECKING, ROOT / "examples" / "digits" / "config.py")
    print(f"check, beyond torch          {beyond:6.2f} s    (to reach: 0.3)")
    print(f"importing torch              {torch_seconds:6.2f} s")


if __name__ == "__main__":
    main()
