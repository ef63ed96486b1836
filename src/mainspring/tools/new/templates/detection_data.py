"""Pictures with shapes, and their boxes."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from shapes import CLASSES, draw_shapes
from torch import Tensor
from torch.utils.data import Dataset


class Shapes(Dataset[dict[str, Any]]):
    """Dicts of a picture (3, 32, 32) and what is in it: ``boxes`` (n, 4) and ``labels`` (n,).

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

    def __getitem__(self, index: int) -> dict[str, Any]:
        seed = self.first + index
        picture, masks, labels = draw_shapes(seed, count=1 + seed % 2)
        seen = [(mask, label) for mask, label in zip(masks, labels, strict=True) if mask.any()]
        boxes = torch.tensor([box_of(torch.from_numpy(mask)) for mask, _ in seen])
        target = {"boxes": boxes, "labels": torch.tensor([label for _, label in seen])}
        return {"inputs": torch.from_numpy(picture), "data_samples": target}

    def read_input(self, source: str) -> dict[str, Tensor]:
        """A picture from a file, for `mainspring predict`."""
        from PIL import Image

        picture = np.asarray(Image.open(source).convert("RGB"), np.float32) / 255
        return {"inputs": torch.from_numpy(picture).permute(2, 0, 1)}


def box_of(mask: Tensor) -> list[float]:
    """The box (x1, y1, x2, y2) around a mask."""
    rows, columns = mask.nonzero(as_tuple=True)
    ends = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return [float(end) for end in ends]


def collate(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch: pictures are stacked, targets stay a list, since they differ in length."""
    batch: dict[str, Any] = {"inputs": torch.stack([item["inputs"] for item in items])}
    if "data_samples" in items[0]:
        batch["data_samples"] = [item["data_samples"] for item in items]
    return batch
