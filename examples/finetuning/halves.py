"""Handwritten digits in two halves: many from 0 to 4 to learn on, few from 5 to 9 to go on with."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

HELD_OUT = 360


class HalfOfTheDigits(TensorDataset):
    """Images (1, 8, 8) of five digits, and labels from 0 to 4.

    Args:
        first: The smallest digit, 0 or 5.
        split: ``"train"``, or ``"val"`` for what was held out.
        per_class: How many of each digit; all by default.
    """

    def __init__(self, first: int, split: str, per_class: int | None = None) -> None:
        from sklearn.datasets import load_digits  # takes a second, which reading a config need not

        images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        part = order[:HELD_OUT] if split == "val" else order[HELD_OUT:]
        images, labels = images[part].float().view(-1, 1, 8, 8) / 16, labels[part] - first
        of_class = [(labels == label).nonzero().flatten()[:per_class] for label in range(5)]
        chosen = torch.cat(of_class)
        super().__init__(images[chosen], labels[chosen])


class Net(nn.Module):
    """A backbone of convolutions, and a linear head.

    Args:
        width: Channels of the first convolution.
        head: Name of the head's weights; another name has weights of its own.
        frozen: Whether the backbone is kept as it is.
    """

    def __init__(self, width: int = 32, head: str = "old", frozen: bool = False) -> None:
        super().__init__()
        self.backbone = nn.Sequential(
            *(nn.Conv2d(1, width, 3, padding=1), nn.BatchNorm2d(width), nn.ReLU()),
            nn.MaxPool2d(2),
            *(nn.Conv2d(width, 2 * width, 3, padding=1), nn.BatchNorm2d(2 * width), nn.ReLU()),
            nn.Flatten(),
        )
        self.heads = nn.ModuleDict({head: nn.Linear(32 * width, 5)})
        if frozen:
            self.backbone.requires_grad_(False).eval()

    def forward(self, images: Tensor) -> Tensor:
        """Scores of shape (batch, 5)."""
        (head,) = self.heads.values()
        return head(self.backbone(images))


def draw(model: Any, figure: Any) -> None:
    """Digits that were held out, and what the new head makes of them."""
    images, labels = HalfOfTheDigits(5, "val")[:]
    chosen = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))[:20]
    found = model.net(images[chosen]).argmax(1)
    for axis, image, digit, label in zip(
        figure.subplots(2, 10).flat, images[chosen], found, labels[chosen], strict=True
    ):
        axis.imshow(image[0].numpy(), cmap="gray_r")
        axis.set_title(str(int(digit) + 5), color="black" if digit == label else "tab:red")
