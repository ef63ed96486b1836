"""A table of houses and their prices, made from a seed: replace `make_table` by your own."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

COLUMNS = ("rooms", "area", "age", "distance")
MEAN = torch.tensor([4.0, 100.0, 40.0, 10.0])
SCALE = torch.tensor([2.0, 40.0, 20.0, 5.0])


def make_table(length: int, seed: int) -> tuple[Tensor, Tensor]:
    """Rows of `COLUMNS`, and prices in hundred thousands."""
    generator = np.random.default_rng(seed)
    rooms = generator.integers(1, 8, length)
    area = 25 * rooms + generator.normal(0, 10, length)
    age, distance = generator.uniform(0, 80, length), generator.exponential(10, length)
    price = 0.03 * area + np.exp(-distance / 10) - 0.01 * age + generator.normal(0, 0.1, length)
    table = np.stack([rooms, area, age, distance], axis=1)
    return torch.tensor(table, dtype=torch.float32), torch.tensor(price, dtype=torch.float32)


class Houses(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of a row, scaled, and its price.

    Args:
        length: Number of rows.
        seed: Another seed gives another table.
    """

    def __init__(self, length: int, seed: int = 0) -> None:
        table, self.prices = make_table(length, seed)
        self.rows = (table - MEAN) / SCALE

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        return self.rows[index], self.prices[index]

    def read_input(self, source: dict[str, Any]) -> Tensor:
        """A row of a CSV file, or a line of JSON, for `mainspring predict`."""
        return (torch.tensor([float(source[name]) for name in COLUMNS]) - MEAN) / SCALE
