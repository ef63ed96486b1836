"""Models and data sets of the tests of `mainspring eject`."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.hooks import Hook


class Points(Dataset):
    """Points whose noise is drawn from the generators named."""

    def __init__(self, length, noise=(), as_dict=False):
        generator = np.random.default_rng(3)
        self.points = torch.tensor(generator.normal(size=(length, 4)), dtype=torch.float32)
        self.noise = noise
        self.as_dict = as_dict

    def __len__(self):
        return len(self.points)

    def __getitem__(self, index):
        point = self.points[index].clone()
        if "torch" in self.noise:
            point += 0.1 * torch.randn(4)
        if "numpy" in self.noise:
            point[0] += float(np.random.normal())
        if "python" in self.noise:
            point[1] += random.gauss(0, 1)
        label = int(self.points[index].sum() > 0)
        return dict(inputs=point, labels=label) if self.as_dict else (point, label)


class Net(nn.Module):
    def __init__(self, width=8, dropout=0.2):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(width, 2)

    def forward(self, inputs):
        return self.head(self.layers(inputs))


class OwnLoss(Net):
    """Computes its loss, as Hugging Face's models do."""

    def forward(self, inputs, labels=None):
        logits = super().forward(inputs)
        return dict(loss=nn.functional.cross_entropy(logits, labels), logits=logits)


class Unknown(Hook):
    """A hook of a user's own."""
