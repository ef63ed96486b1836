"""Data loading: two workers, a light transform for each sample, a tiny network."""

from __future__ import annotations

import time
from typing import Any

import torch
from engines.job import Job
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from workloads.parts import loss_on
from workloads.setting import Setting

TITLE = "data loading, 2 workers, light transform"
MODES = ("lean",)
FIGURES = {"us": ("", "cost")}
WITHOUT = ("bare_compiled", "ours_compiled")
BATCH = 64
WARM_UP = 50


class Images(Dataset[tuple[Tensor, Tensor]]):
    """Images of 3 x 16 x 16, flipped and scaled when they are taken."""

    def __init__(self, length: int) -> None:
        generator = torch.Generator().manual_seed(0)
        self.images = torch.randint(0, 256, (1024, 3, 16, 16), generator=generator).byte()
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.images[index % 1024].float().div_(127.5).sub_(1.0)
        if index % 2:
            image = image.flip(2)
        return image, torch.tensor(index % 10)


def measure(engine: Any, setting: Setting) -> dict[str, float]:
    """Microseconds per iteration of 64 images, after the workers have started."""
    count = 100 if setting.quick else 400
    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(768, 32), nn.ReLU(), nn.Linear(32, 10))
    seen: list[float] = []

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        seen.append(time.perf_counter())
        return nn.functional.cross_entropy(outputs, targets)

    data = Images(count * BATCH)
    loader = {"dataset": data, "batch_size": BATCH, "num_workers": 2}
    job = Job(
        net=net,
        loss=loss,
        train=DataLoader(data, batch_size=BATCH, num_workers=2),
        loader=loader,
        work_dir=setting.work_dir,
        iterations=count,
        lean=True,
        variant=setting.variant,
    )
    engine.fit(job)
    inputs, targets = zip(*(data[index] for index in range(64)), strict=True)
    return {
        "us": 1e6 * (seen[-1] - seen[WARM_UP]) / (len(seen) - 1 - WARM_UP),
        "loss": loss_on(net, (torch.stack(inputs), torch.stack(targets))),
    }
