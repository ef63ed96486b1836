"""Models and data of the tests of `mainspring export`."""

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel


class Pixels(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        generator = torch.Generator().manual_seed(index)
        pixels = torch.randint(256, (3, 5, 6), dtype=torch.uint8, generator=generator)
        return dict(inputs=pixels, data_samples=index)


class Points(Dataset):
    def __len__(self):
        return 3

    def __getitem__(self, index):
        return torch.arange(4.0) + index, index


class Head(BaseModel):
    """Needs images that are normalised."""

    def __init__(self, data_preprocessor=None):
        super().__init__(data_preprocessor)
        self.layer = nn.Conv2d(3, 2, 3)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        assert mode == "tensor"
        return self.layer(inputs).mean((2, 3))


class Probabilities(nn.Module):
    """Says what is exported."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, points):
        return dict(loss=self.layer(points).mean())

    def export_forward(self, points):
        scores = self.layer(points / 10).softmax(1)
        return scores, scores.argmax(1)


class Stubborn(nn.Module):
    """Asks what its input is."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 3)

    def forward(self, points):
        return self.layer(points) if points.sum() > 0 else points
