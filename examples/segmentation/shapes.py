"""Circles, squares and triangles with their masks, and a small U-Net that finds them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

CLASSES = ("background", "circle", "square", "triangle")
SIZE = 32


class Shapes(Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """Images (3, 32, 32) of three coloured shapes on noise, with a mask of their classes.

    Args:
        count: Number of images; each is made from its index and `seed`, the same one every time.
        seed: Another seed gives other images.
    """

    def __init__(self, count: int, seed: int = 0) -> None:
        self.count, self.seed = count, seed
        axis = torch.arange(SIZE, dtype=torch.float32)
        self.y, self.x = axis[:, None], axis[None, :]

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        image = 0.3 * torch.rand(3, SIZE, SIZE, generator=draw)
        mask = torch.zeros(SIZE, SIZE, dtype=torch.long)
        for kind in torch.randint(1, 4, (3,), generator=draw).tolist():
            row, column = torch.randint(6, SIZE - 6, (2,), generator=draw).tolist()
            radius = int(torch.randint(4, 7, (), generator=draw))
            colour = 0.4 + 0.6 * torch.rand(3, generator=draw)
            inside = self._inside(kind, self.y - row, self.x - column, radius)
            image[:, inside] = colour[:, None] + 0.1 * torch.randn(1, generator=draw)
            mask[inside] = kind
        return image, mask

    def _inside(self, kind: int, down: Tensor, right: Tensor, radius: int) -> Tensor:
        if kind == 1:
            return down**2 + right**2 <= radius**2
        if kind == 2:
            return (down.abs() < radius) & (right.abs() < radius)
        return (down.abs() < radius) & (2 * right.abs() <= down + radius)


def _block(inputs: int, outputs: int) -> nn.Sequential:
    convolutions = [nn.Conv2d(inputs, outputs, 3, padding=1), nn.BatchNorm2d(outputs), nn.ReLU()]
    return nn.Sequential(*convolutions, nn.Conv2d(outputs, outputs, 3, padding=1), nn.ReLU())


class UNet(nn.Module):
    """Two steps down, two steps up, with the finer features beside the coarser ones.

    Args:
        width: Channels at full resolution.
        num_classes: Number of classes.
    """

    def __init__(self, width: int = 16, num_classes: int = len(CLASSES)) -> None:
        super().__init__()
        self.down = nn.ModuleList(
            [_block(3, width), _block(width, 2 * width), _block(2 * width, 4 * width)]
        )
        self.up = nn.ModuleList([_block(6 * width, 2 * width), _block(3 * width, width)])
        self.head = nn.Conv2d(width, num_classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of shape (batch, classes, height, width)."""
        fine = self.down[0](images)
        middle = self.down[1](nn.functional.max_pool2d(fine, 2))
        coarse = self.down[2](nn.functional.max_pool2d(middle, 2))
        for block, skip in zip(self.up, (middle, fine), strict=True):
            coarse = block(torch.cat([nn.functional.interpolate(coarse, scale_factor=2), skip], 1))
        return self.head(coarse)


def draw(model: Any, figure: Any) -> None:
    """Images, their masks, and what the model finds."""
    data = Shapes(6, seed=7)
    axes = figure.subplots(3, len(data))
    for column in range(len(data)):
        image, mask = data[column]
        found = model.net(image[None])[0].argmax(0)
        axes[0, column].imshow(image.permute(1, 2, 0).clamp(0, 1).numpy())
        axes[1, column].imshow(mask.numpy(), vmin=0, vmax=3)
        axes[2, column].imshow(found.numpy(), vmin=0, vmax=3)
    for row, label in enumerate(("image", "mask", "found")):
        axes[row, 0].set_ylabel(label)
