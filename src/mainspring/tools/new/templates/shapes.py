"""Pictures of circles, squares and triangles, made from a seed: replace them by your own data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

CLASSES = ("circle", "square", "triangle")
SIZE = 32


def draw_shapes(
    seed: int, count: int
) -> tuple[NDArray[np.float32], list[NDArray[np.bool_]], list[int]]:
    """A picture with `count` shapes on a noisy ground.

    Returns:
        The picture, of shape (3, SIZE, SIZE) from 0 to 1; the mask of each shape, later ones on
        top of earlier ones; and their classes.
    """
    generator = np.random.default_rng(seed)
    picture = generator.uniform(0.0, 0.3, (3, SIZE, SIZE)).astype(np.float32)
    rows, columns = np.mgrid[:SIZE, :SIZE]
    masks: list[NDArray[np.bool_]] = []
    labels: list[int] = []
    for _ in range(count):
        label = int(generator.integers(len(CLASSES)))
        radius = int(generator.integers(4, 9))
        y, x = generator.integers(radius, SIZE - radius, 2)
        down, right = rows - y, columns - x
        if label == 0:
            mask = down**2 + right**2 <= radius**2
        elif label == 1:
            mask = (abs(down) <= radius) & (abs(right) <= radius)
        else:
            mask = (abs(down) <= radius) & (abs(right) <= (down + radius) / 2)
        picture[:, mask] = generator.uniform(0.5, 1.0, (3, 1)).astype(np.float32)
        masks = [other & ~mask for other in masks]
        masks.append(mask)
        labels.append(label)
    return picture, masks, labels
