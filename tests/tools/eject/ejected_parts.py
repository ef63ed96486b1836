"""Models and data sets of the tests of `mainspring eject`."""

import random

import numpy as np
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, default_collate

from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel
from mainspring.registry import MODELS


class Points(Dataset):
    """Points whose noise is drawn from the generators named."""

    def __init__(self, length, noise=(), as_dict=False, as_number=False):
        generator = np.random.default_rng(3)
        self.points = torch.tensor(generator.normal(size=(length, 4)), dtype=torch.float32)
        self.noise = noise
        self.as_dict = as_dict
        self.as_number = as_number

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
        if self.as_number:
            return point, self.points[index, :1]
        label = int(self.points[index].sum() > 0)
        return dict(inputs=point, labels=label) if self.as_dict else (point, label)


class Items(Points):
    """Bears a name that scripts have, too."""


class Net(nn.Module):
    def __init__(self, width=8, dropout=0.2, classes=2):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(4, width), nn.BatchNorm1d(width), nn.ReLU(), nn.Dropout(dropout)
        )
        self.head = nn.Linear(width, classes)

    def forward(self, inputs):
        return self.head(self.layers(inputs))


class Several(nn.Module):
    """Gives losses, in a list too, and something else."""

    def forward(self, scores, labels):
        loss = nn.functional.cross_entropy(scores, labels, reduction="none")
        return {"loss_of_class": [loss[:2], loss], "size_loss": scores.square(), "other": loss}


class OwnLoss(Net):
    """Computes its loss, as Hugging Face's models do."""

    def forward(self, inputs, labels=None):
        logits = super().forward(inputs)
        return dict(loss=nn.functional.cross_entropy(logits, labels), logits=logits)


class Half(Net):
    """Keeps its first layers, statistics included, as they are."""

    def __init__(self):
        super().__init__()
        self.layers.requires_grad_(False).eval()


@MODELS.register_module(force=True)
class Built(BaseModel):
    """Builds its part from what describes it."""

    def __init__(self, part):
        super().__init__()
        self.part = MODELS.build(part)

    def forward(self, points, labels, mode="tensor"):
        scores = self.part(points)
        return dict(loss=nn.functional.cross_entropy(scores, labels)) if mode == "loss" else scores


class Pair(BaseModel):
    """Two networks, each with an optimizer of its own."""

    def __init__(self):
        super().__init__()
        self.left, self.right = Net(), Net()

    def train_step(self, data, optim_wrapper):
        points, labels = self.data_preprocessor(data, True)
        with optim_wrapper["left"].optim_context(self):
            left = nn.functional.cross_entropy(self.left(points), labels)
        optim_wrapper["left"].update_params(left)
        right = (self.right(points) - self.left(points).detach()).square().mean()
        optim_wrapper["right"].backward(right)
        optim_wrapper["right"].step()
        optim_wrapper["right"].zero_grad()
        return {"left": left.detach(), "right": right.detach()}

    def forward(self, inputs, mode="tensor"):
        return self.left(inputs) + self.right(inputs)


class Curious(Pair):
    """Asks its optimizer for the learning rate."""

    def train_step(self, data, optim_wrapper):
        points, labels = self.data_preprocessor(data, True)
        loss = nn.functional.cross_entropy(self(points), labels)
        optim_wrapper.update_params(loss)
        return {"loss": loss.detach(), "lr": optim_wrapper.get_lr()["lr"][0]}


class Counted(BaseMetric):
    """A metric of a user's own."""

    def process(self, data_batch, data_samples):
        self.results += data_samples

    def compute_metrics(self, results):
        return dict(count=len(results))


class Unknown(Hook):
    """A hook of a user's own."""


class Kept(Points):
    """Keeps items as they were first loaded, and counts how often items were asked for."""

    def __init__(self, length, noise=()):
        super().__init__(length, noise)
        self.kept = {}
        self.asked = 0

    def __getitem__(self, index):
        self.asked += 1
        if index not in self.kept:
            self.kept[index] = super().__getitem__(index)
        point, label = self.kept[index]
        return point + 0.001 * self.asked, label


class Own(Points):
    """Draws from a generator of its own."""

    def __init__(self, length):
        super().__init__(length)
        self.generator = torch.Generator().manual_seed(0)

    def __getitem__(self, index):
        point, label = super().__getitem__(index)
        return point + torch.randn(4, generator=self.generator), label


class Stream(IterableDataset):
    """Gives items in an order of its own."""

    def __iter__(self):
        points = Points(50)
        return (points[index] for index in range(50))


class Noisy(Net):
    """Draws from NumPy's generator."""

    def forward(self, inputs):
        return super().forward(inputs) * (1 + float(np.random.rand()))


def noisy_collate(items):
    """Moves the points of a batch together."""
    points, labels = default_collate(items)
    return points + torch.randn(4), labels


def begin_worker(number):
    """A start of workers."""
