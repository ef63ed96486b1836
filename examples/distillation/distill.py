"""A small network that learns from the answers of a large one (Hinton et al., 2015)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import TensorDataset

from mainspring.model import BaseModel

HELD_OUT = 360


class Digits(TensorDataset):
    """Images (64,) of scikit-learn's digits, and labels.

    Args:
        split: ``"train"`` or ``"val"``.
        count: How many; all by default.
    """

    def __init__(self, split: str, count: int | None = None) -> None:
        from sklearn.datasets import load_digits  # takes a second, which reading a config need not

        images, labels = (torch.tensor(each) for each in load_digits(return_X_y=True))
        order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
        part = order[:HELD_OUT] if split == "val" else order[HELD_OUT:]
        super().__init__((images[part].float() / 16)[:count], labels[part][:count])


class Net(nn.Sequential):
    """Two hidden layers.

    Args:
        width: Their width.
    """

    def __init__(self, width: int) -> None:
        layers = [nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU()]
        super().__init__(*layers, nn.Linear(width, 10))


class Distiller(BaseModel):
    """Trains a student by the answers of a teacher, which does not change.

    Args:
        student: The network that is trained.
        teacher: The network that answers.
        weights: Checkpoint of the teacher's training, in which it is called ``net``.
        temperature: By how much the answers are softened.
        share: Share of the teacher in the loss; the rest is that of the labels.
    """

    def __init__(
        self,
        student: nn.Module,
        teacher: nn.Module,
        weights: str | None = None,
        temperature: float = 4.0,
        share: float = 0.9,
    ) -> None:
        super().__init__()
        self.net, self.teacher = student, teacher.requires_grad_(False).eval()
        self.weights, self.temperature, self.share = weights, temperature, share

    def init_weights(self) -> None:
        """Give the teacher its weights; a resumed run has them already."""
        if self.weights:
            from mainspring.runner import load_checkpoint

            load_checkpoint(self.teacher, self.weights, revise_keys=[(r"^net\.", "")])

    def forward(self, images: Tensor, labels: Tensor, mode: str = "tensor") -> Any:
        """The student's scores, the losses, or one prediction for each image."""
        scores = self.net(images)
        if mode == "loss":
            with torch.no_grad():
                answers = (self.teacher(images) / self.temperature).softmax(1)
            softened = nn.functional.cross_entropy(scores / self.temperature, answers)
            hard = nn.functional.cross_entropy(scores, labels)
            return {
                "loss_teacher": self.share * self.temperature**2 * softened,
                "loss_labels": (1 - self.share) * hard,
            }
        if mode == "predict":
            pairs = zip(scores, labels, strict=True)
            return [{"prediction": score, "target": label} for score, label in pairs]
        return scores


def draw(model: Any, figure: Any) -> None:
    """What teacher and student say to images on which the teacher is least sure."""
    images, _ = Digits("val")[:]
    taught, learnt = model.teacher(images).softmax(1), model.net(images).softmax(1)
    chosen = taught.amax(1).argsort()[:6]
    axes = figure.subplots(2, 6, height_ratios=(1, 1))
    for column, index in enumerate(chosen.tolist()):
        axes[0, column].imshow(images[index].view(8, 8).numpy(), cmap="gray_r")
        places = np.arange(10)
        axes[1, column].bar(places - 0.2, taught[index].numpy(), 0.4, label="teacher")
        axes[1, column].bar(places + 0.2, learnt[index].numpy(), 0.4, label="student")
        axes[1, column].set(ylim=(0, 1), yticks=[], xticks=range(0, 10, 3))
    axes[1, 0].legend(fontsize=6)
