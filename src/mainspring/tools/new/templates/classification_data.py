"""Pictures with one shape, and its class."""

from __future__ import annotations

import numpy as np
import torch
from shapes import CLASSES, SIZE, draw_shapes
from torch import Tensor
from torch.utils.data import Dataset


class Shapes(Dataset[tuple[Tensor, int]]):
    """Pairs of a picture (3, 32, 32) and the number of its class.

    Args:
        length: Number of pictures.
        first: Seed of the first one; the others follow.
    """

    classes = CLASSES

    def __init__(self, length: int, first: int = 0) -> None:
        self.length = length
        self.first = first

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        picture, _, labels = draw_shapes(self.first + index, count=1)
        return torch.from_numpy(picture), labels[0]

    def read_input(self, source: str) -> Tensor:
        """A picture from a file, for `mainspring predict`."""
        from PIL import Image

        picture = Image.open(source).convert("RGB").resize((SIZE, SIZE))
        return torch.from_numpy(np.asarray(picture, np.float32) / 255).permute(2, 0, 1)
