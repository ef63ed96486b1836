"""What the configs of these tests are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.hooks import Hook


class Points(Dataset):
    def __init__(self, split: str = "train", length: int = 16, pipeline: Sequence[Any] = ()):
        self.split, self.length, self.pipeline = split, length, pipeline

    def __len__(self):
        return self.length

    def __getitem__(self, index):
        return torch.full((3,), float(index)), index % 2


class Backbone(nn.Module):
    def __init__(
        self,
        depth: int,
        style: Literal["pytorch", "caffe"] = "pytorch",
        strides: Sequence[int] = (1, 2),
        dropout: float | None = None,
        frozen: bool = False,
        act: Callable[[], nn.Module] = nn.ReLU,
        norm=None,
    ):
        super().__init__()
        self.linear = nn.Linear(3, 2)


class Head(nn.Module):
    def __init__(self, channels: int, classes: int = 2):
        super().__init__()


class WithRest(Head):
    def __init__(self, extra: int = 0, **kwargs: Any):
        super().__init__(kwargs.pop("channels", 1), **kwargs)


class Net(nn.Module):
    """Builds its parts itself when they are described as dicts."""

    def __init__(self, backbone: nn.Module | dict[str, Any], head: Any = None, width: int = 1):
        super().__init__()
        self.linear = nn.Linear(3, 2)

    def forward(self, points, labels=None):
        return {"loss": nn.functional.cross_entropy(self.linear(points), labels)}


class Plain(nn.Module):
    """Takes ready parts."""

    def __init__(self, backbone: nn.Module, width: int = 1):
        super().__init__()


class Resize:
    def __init__(self, scale: tuple[int, int]):
        self.scale = scale

    def __call__(self, item):
        return item


def collate(items, pad=0):
    return items


class CarelessHook(Hook):
    def before_train_iter(self, runner):
        pass
