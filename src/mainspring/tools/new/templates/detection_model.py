"""A small detector without anchors, in the manner of CenterNet (Zhou et al., 2019)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from mainspring.model import BaseModel

STRIDE = 4


class CenterDetector(BaseModel):
    """Finds the centres of things, and the sides of a box at each.

    Args:
        num_classes: Number of classes.
        width: Channels of the first layer.
        found: How many boxes to give for each picture.
    """

    def __init__(self, num_classes: int, width: int = 24, found: int = 10) -> None:
        super().__init__()
        self.found = found
        self.layers = nn.Sequential(
            nn.Conv2d(3, width, 3, stride=2, padding=1),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 3, stride=2, padding=1),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
            nn.Conv2d(2 * width, 2 * width, 3, padding=2, dilation=2),
            nn.BatchNorm2d(2 * width),
            nn.ReLU(),
        )
        self.centres = nn.Conv2d(2 * width, num_classes, 1)
        self.sides = nn.Conv2d(2 * width, 4, 1)
        nn.init.constant_(self.centres.get_parameter("bias"), -3.0)  # centres are rare

    def forward(
        self,
        inputs: Tensor,
        data_samples: list[dict[str, Tensor]] | None = None,
        mode: str = "tensor",
    ) -> Any:
        """Losses, or a dict of boxes for each picture, or the maps of centres and sides."""
        features = self.layers(inputs)
        centres, sides = self.centres(features), F.softplus(self.sides(features))
        if mode == "loss" and data_samples is not None:
            return self.losses(centres, sides, data_samples)
        if mode == "predict":
            found = [self.boxes(*maps) for maps in zip(centres, sides, strict=True)]
            if data_samples is None:
                return found
            pairs = zip(found, data_samples, strict=True)
            return [{"prediction": boxes, "target": target} for boxes, target in pairs]
        return centres, sides

    def losses(
        self, centres: Tensor, sides: Tensor, targets: list[dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Focal loss of the centres, and the distance of the sides in cells."""
        wanted = torch.zeros_like(centres)
        errors = []
        for number, target in enumerate(targets):
            for box, label in zip(target["boxes"], target["labels"], strict=True):
                x, y = ((box[:2] + box[2:]) / 2 / STRIDE).long().tolist()
                wanted[number, label, y, x] = 1
                here = torch.tensor([x, y, x, y], device=box.device) + 0.5
                sign = torch.tensor([-1, -1, 1, 1], device=box.device)
                errors.append((sides[number, :, y, x] - sign * (box / STRIDE - here)).abs().mean())
        each = F.binary_cross_entropy_with_logits(centres, wanted, reduction="none")
        surprise = (wanted - centres.sigmoid()).abs() ** 2
        return {
            "loss_centres": (surprise * each).sum() / len(errors),
            "loss_sides": torch.stack(errors).mean(),
        }

    def boxes(self, centres: Tensor, sides: Tensor) -> dict[str, Tensor]:
        """The boxes of a picture, best first: cells whose score is the highest around them."""
        scores = centres.sigmoid()
        peaks = F.max_pool2d(scores[None], 3, stride=1, padding=1)[0] == scores
        best, places = (scores * peaks).flatten().topk(self.found)
        labels, cells = places // sides[0].numel(), places % sides[0].numel()
        y, x = cells // sides.shape[2], cells % sides.shape[2]
        here = torch.stack([x, y, x, y], dim=1) + 0.5
        sign = torch.tensor([-1, -1, 1, 1], device=sides.device)
        boxes = (here + sign * sides[:, y, x].T) * STRIDE
        return {"boxes": boxes, "scores": best, "labels": labels}
