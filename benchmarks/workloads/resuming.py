"""Resuming in the middle of an epoch: what is loaded first, and whether it goes on exactly."""

from __future__ import annotations

import json
from typing import Any, ClassVar

import torch
from engines.job import Job
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from workloads.setting import Setting

TITLE = "resume in mid-epoch"
MODES = ("lean",)
PHASES = ("whole", "interrupted", "resumed")
FIGURES = {
    "items": ("items loaded before the first new batch of 8", "count"),
    "right_batch": ("first batch is the right one", "yes"),
    "exact": ("next 20 losses equal in every bit", "yes"),
}
WITHOUT = ("bare_compiled", "ours_compiled")
ITEMS, BATCH, STOP, END = 4000, 8, 250, 270


class Noisy(Dataset[tuple[Tensor, Tensor]]):
    """Items that carry their index and random noise, and count how many were taken."""

    taken = 0  # of the class, because some engines copy the data

    def __len__(self) -> int:
        return ITEMS

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        Noisy.taken += 1
        return torch.cat([torch.tensor([float(index)]), torch.randn(7)]), torch.tensor(index % 10)


class Seen:
    """What a process has trained on; of the class, since an engine may resume what objects hold."""

    batches: ClassVar[list[list[int]]] = []
    taken_before_first = 0


class Watched(nn.Module):
    """A network with dropout whose batches are noted."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Linear(7, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 10))

    def forward(self, inputs: Tensor) -> Tensor:
        """Scores of the noise; the index in the first column is only noted."""
        if not Seen.batches:
            Seen.taken_before_first = Noisy.taken
        Seen.batches.append(inputs[:, 0].int().tolist())
        return self.net(inputs[:, 1:])  # type: ignore[no-any-return]  # - modules return Any


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Train whole, interrupted and resumed, each in its own process."""
    torch.manual_seed(0)
    data, losses = Noisy(), list[float]()
    net = Watched()

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        value = nn.functional.cross_entropy(outputs, targets)
        losses.append(value.item())
        return value

    whole = setting.phase == "whole"
    work_dir = setting.work_dir / ("whole" if whole else "parts")
    work_dir.mkdir(exist_ok=True)
    job = Job(
        net=net,
        loss=loss,
        train=DataLoader(data, batch_size=BATCH, shuffle=True),
        loader={"dataset": data, "batch_size": BATCH, "shuffle": True},
        work_dir=work_dir,
        iterations=END,
        lean=True,
        save_at=STOP,
        stop_at=STOP if setting.phase == "interrupted" else None,
        resume=setting.phase == "resumed",
        variant=setting.variant,
    )
    engine.fit(job)
    record = setting.work_dir / "whole.json"
    if whole:
        record.write_text(json.dumps([Seen.batches[STOP:], losses[STOP:]]))
    if not job.resume:
        return {}
    batches, expected = json.loads(record.read_text())
    return {
        "items": Seen.taken_before_first,
        "right_batch": float(Seen.batches[0] == batches[0]),
        "exact": float(losses == expected),
    }
