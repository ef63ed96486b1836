"""A network of fully connected layers."""

from __future__ import annotations

from torch import Tensor, nn


class Layers(nn.Module):
    """One number for each row of (N, columns).

    Args:
        columns: Number of columns.
        width: Width of the hidden layers.
    """

    def __init__(self, columns: int, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(columns, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, 1),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        numbers: Tensor = self.layers(inputs)
        return numbers.squeeze(1)
