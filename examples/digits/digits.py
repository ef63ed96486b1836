"""The bundled handwritten digits of scikit-learn, and a small network that reads them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel
from mainspring.registry import DATASETS, MODELS

HELD_OUT = 360


@DATASETS.register_module()
class Digits(Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """1797 handwritten digits of 8 x 8 pixels, as pairs of image (1, 8, 8) and label.

    Args:
        split: ``"train"`` (1437 images) or ``"val"`` (360 held out, the same ones every time).
        shift: Move each image by up to this many pixels, at random; for training.
    """

    classes = tuple("0123456789")

    def __init__(self, split: str, shift: int = 0) -> None:
        from sklearn.datasets import load_digits  # takes a second, which reading a config need not

        images, labels = load_digits(return_X_y=True)
        order = np.random.default_rng(0).permutation(len(labels))
        chosen = order[HELD_OUT:] if split == "train" else order[:HELD_OUT]
        self.images = torch.tensor(images[chosen] / 16.0, dtype=torch.float32).view(-1, 1, 8, 8)
        self.labels = torch.tensor(labels[chosen])
        self.shift = shift

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        image = self.images[index]
        if self.shift:
            down, right = torch.randint(-self.shift, self.shift + 1, (2,)).tolist()
            image = torch.roll(image, (down, right), dims=(1, 2))
        return image, self.labels[index]

    def read_input(self, source: str) -> Tensor:
        """A picture of a digit, bright on dark, for `mainspring predict`."""
        from PIL import Image

        picture = Image.open(source).convert("L").resize((8, 8))
        return torch.tensor(np.asarray(picture) / 255.0, dtype=torch.float32)[None]


@MODELS.register_module()
class SmallCNN(BaseModel):
    """Two convolutions and a linear layer.

    Args:
        width: Channels of the first convolution.
        num_classes: Number of classes.
    """

    def __init__(self, width: int = 32, num_classes: int = 10) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(1, width, 3, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(width, 2 * width, 3, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Flatten(),
            nn.Linear(2 * width * 16, num_classes),
        )

    def forward(self, images: Tensor, labels: Tensor | None = None, mode: str = "tensor") -> Any:
        """Scores, or the loss, or one prediction for each image."""
        scores = self.net(images)
        if mode == "loss":
            return {"loss": nn.functional.cross_entropy(scores, labels)}
        if mode == "predict" and labels is None:
            return [{"prediction": score} for score in scores]
        if mode == "predict":
            pairs = zip(scores, labels, strict=True)
            return [{"prediction": score, "target": label} for score, label in pairs]
        return scores


def draw(model: Any, figure: Any) -> None:
    """Digits that were held out, and what the model takes them for; mistakes in red."""
    data = Digits("val")
    scores = model.net(data.images)
    hardest = scores.softmax(1).gather(1, data.labels[:, None])[:, 0].argsort()[:20]
    for axis, index in zip(figure.subplots(2, 10).flat, hardest.tolist(), strict=True):
        found = int(scores[index].argmax())
        axis.imshow(data.images[index, 0].numpy(), cmap="gray_r")
        axis.set_title(str(found), color="black" if found == data.labels[index] else "tab:red")
