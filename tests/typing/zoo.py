"""Typed stand-ins for a project's own classes, which the configs beside this file name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import torch
from torch import nn
from torch.utils.data import Dataset

from mainspring.evaluator import BaseMetric
from mainspring.hooks import Hook
from mainspring.model import BaseModel


class ResNet(nn.Module):
    """A backbone."""

    def __init__(self, depth: Literal[18, 34, 50, 101] = 50, frozen_stages: int = -1) -> None:
        super().__init__()
        self.depth = depth
        self.frozen_stages = frozen_stages

    @classmethod
    def from_pretrained(cls, name: str) -> ResNet:
        return cls(depth=18)


class Swin(nn.Module):
    """Another one."""

    def __init__(self, depths: Sequence[int] = (2, 2, 6, 2), window: int = 7) -> None:
        super().__init__()
        self.depths = tuple(depths)
        self.window = window


class RetinaNet(BaseModel):
    """A detector."""

    def __init__(
        self,
        backbone: nn.Module,
        num_classes: int,
        activation: type[nn.Module] = nn.ReLU,
        data_preprocessor: nn.Module | None = None,
    ) -> None:
        super().__init__(data_preprocessor)
        self.backbone = backbone
        self.num_classes = num_classes
        self.activation = activation

    def forward(
        self, inputs: torch.Tensor, data_samples: list[Any] | None = None, mode: str = "tensor"
    ) -> Any:
        return inputs


class SmallCNN(nn.Module):
    """A classifier of digits that returns its own loss."""

    def __init__(self, width: int = 32, num_classes: int = 10) -> None:
        super().__init__()
        self.width = width
        self.num_classes = num_classes


class Transform:
    """Base of transforms."""

    def __call__(self, sample: dict[str, Any]) -> dict[str, Any]:
        return sample


class Resize(Transform):
    """A transform."""

    def __init__(self, scale: tuple[int, int], keep_ratio: bool = True) -> None:
        self.scale = scale
        self.keep_ratio = keep_ratio


class Flip(Transform):
    """Another one."""

    def __init__(self, prob: float = 0.5) -> None:
        self.prob = prob


class Coco(Dataset[dict[str, Any]]):
    """A data set with a pipeline."""

    def __init__(
        self, ann_file: str, pipeline: Sequence[Callable[[dict[str, Any]], dict[str, Any]]] = ()
    ) -> None:
        self.ann_file = ann_file
        self.pipeline = list(pipeline)

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"index": index}


class Digits(Dataset[tuple[torch.Tensor, int]]):
    """A data set of pairs."""

    def __init__(self, split: Literal["train", "val"], shift: int = 0) -> None:
        self.split = split
        self.shift = shift

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return torch.zeros(1, 8, 8), 0


class CocoMetric(BaseMetric):
    """A metric of the project."""

    def __init__(self, ann_file: str, metric: Literal["bbox", "segm"] = "bbox") -> None:
        super().__init__()
        self.ann_file = ann_file
        self.metric = metric

    def process(self, data_batch: Any, data_samples: Sequence[Any]) -> None:
        self.results.extend(data_samples)

    def compute_metrics(self, results: list[Any]) -> dict[str, Any]:
        return {"mAP": 0.0}


class FreezeHook(Hook):
    """A hook of the project."""

    def __init__(self, until_epoch: int) -> None:
        self.until_epoch = until_epoch


def pad_collate(items: list[dict[str, Any]], size_divisor: int = 1) -> Mapping[str, Any]:
    """A collate function with a setting."""
    return {"items": items, "size_divisor": size_divisor}


def worker_init(worker_id: int) -> None:
    """A function that workers call."""
