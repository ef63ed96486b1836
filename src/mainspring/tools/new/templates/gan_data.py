"""Points on a ring: replace them by what you want to imitate."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.utils.data import Dataset


class Ring(Dataset[Tensor]):
    """Points (2,) around eight places on a circle of radius 2.

    Args:
        length: Number of points.
        seed: Another seed gives other points.
    """

    def __init__(self, length: int, seed: int = 0) -> None:
        generator = torch.Generator().manual_seed(seed)
        angle = torch.randint(8, (length,), generator=generator) * math.pi / 4
        centres = 2 * torch.stack([angle.cos(), angle.sin()], dim=1)
        self.points = centres + 0.05 * torch.randn(length, 2, generator=generator)

    def __len__(self) -> int:
        return len(self.points)

    def __getitem__(self, index: int) -> Tensor:
        return self.points[index]
