"""A table of patients: ten measurements each, and how far diabetes went in a year."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from mainspring.dataset import InMemoryDataset

HELD_OUT = 88


class Patients(InMemoryDataset):
    """The 442 rows of scikit-learn's `load_diabetes`, inputs (10,) and target (1,), standardised.

    Args:
        split: ``"train"`` (354 rows) or ``"val"`` (the other 88).
    """

    def __init__(self, split: str) -> None:
        from sklearn.datasets import (
            load_diabetes,
        )  # takes a second, which reading a config need not

        rows, progression = (torch.tensor(each).float() for each in load_diabetes(return_X_y=True))
        order = torch.randperm(len(rows), generator=torch.Generator().manual_seed(0))
        known, chosen = order[HELD_OUT:], order[HELD_OUT:] if split == "train" else order[:HELD_OUT]
        targets = (progression - progression[known].mean()) / progression[known].std()
        inputs = (rows - rows[known].mean(0)) / rows[known].std(0)
        super().__init__({"inputs": inputs[chosen], "targets": targets[chosen, None]})


class Network(nn.Sequential):
    """A network of two hidden layers with dropout.

    Args:
        width: Width of the hidden layers.
        dropout: Share of their outputs that is left out in training.
    """

    def __init__(self, width: int = 64, dropout: float = 0.3) -> None:
        layers: list[nn.Module] = []
        for inputs in (10, width):
            layers += [nn.Linear(inputs, width), nn.ReLU(), nn.Dropout(dropout)]
        super().__init__(*layers, nn.Linear(width, 1))


def draw(model: Any, figure: Any) -> None:
    """Predictions against what came true, of rows that were held out."""
    data = Patients("val").tensors
    left, right = figure.subplots(1, 2)
    predicted: Tensor = model.net(data["inputs"])
    left.scatter(predicted.numpy(), data["targets"].numpy(), s=12)
    left.axline((0, 0), slope=1, color="gray", linewidth=1)
    left.set(xlabel="predicted", ylabel="came true")
    right.hist((predicted - data["targets"]).flatten().numpy(), bins=20)
    right.set(xlabel="error, in standard deviations")
