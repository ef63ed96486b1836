"""Pictures with shapes, and the class of each pixel."""

from __future__ import annotations

import numpy as np
import torch
from shapes import CLASSES, SIZE, draw_shapes
from torch import Tensor
from torch.utils.data import Dataset


class Shapes(Dataset[tuple[Tensor, Tensor]]):
    """Pairs of a picture (3, 32, 32) and a map (32, 32) of classes; 0 is the ground.

    Args:
        length: Number of pictures.
        first: Seed of the first one; the others follow.
    """

    classes = ("ground", *CLASSES)

    def __init__(self, length: int, first: int = 0) -> None:
        self.length = length
        self.first = first

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        picture, masks, labels = draw_shapes(self.first + index, count=2)
        target = torch.zeros(SIZE, SIZE, dtype=torch.long)
        for mask, label in zip(masks, labels, strict=True):
            target[torch.from_numpy(mask)] = label + 1
        return torch.from_numpy(picture), target

    def read_input(self, source: str) -> Tensor:
        """A picture from a file, for `mainspring predict`."""
        from PIL import Image

        picture = np.asarray(Image.open(source).convert("RGB"), np.float32) / 255
        return torch.from_numpy(picture).permute(2, 0, 1)
