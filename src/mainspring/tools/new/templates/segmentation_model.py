"""A small U-Net (Ronneberger et al., 2015)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def block(inputs: int, outputs: int) -> nn.Sequential:
    """A convolution, batch norm and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()
    )


class SmallUNet(nn.Module):
    """Scores of classes for each pixel of pictures (N, 3, H, W); H and W are even.

    Args:
        num_classes: Number of classes.
        width: Channels of the first layer.
    """

    def __init__(self, num_classes: int, width: int = 16) -> None:
        super().__init__()
        self.down = block(3, width)
        self.middle = nn.Sequential(
            nn.MaxPool2d(2), block(width, 2 * width), block(2 * width, 2 * width)
        )
        self.up = nn.Upsample(scale_factor=2)
        self.head = nn.Sequential(block(3 * width, width), nn.Conv2d(width, num_classes, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        fine = self.down(inputs)
        coarse = self.up(self.middle(fine))
        scores: Tensor = self.head(torch.cat([fine, coarse], dim=1))
        return scores
