"""Handwritten digits scattered over a canvas, and a network that finds them: centres and sizes.

The network follows Zhou et al., "Objects as Points" (2019): a map of centres for each class, and
the size of a box at each of its points.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.data import Dataset

from mainspring.model import BaseModel

SIZE, STRIDE = 48, 4
CELLS = SIZE // STRIDE


class ScatteredDigits(Dataset):  # type: ignore[type-arg]  # - torch's Dataset is generic only to type checkers
    """Canvases (1, 48, 48) with two to four digits, their boxes (x1, y1, x2, y2) and labels.

    Args:
        count: Number of canvases; each is made from its index and `seed`.
        seed: Another seed gives other canvases.
        held_out: Whether to use the last 360 of scikit-learn's digits, or the others.
    """

    def __init__(self, count: int, seed: int = 0, held_out: bool = False) -> None:
        from sklearn.datasets import load_digits  # takes a second, which reading a config need not

        images, labels = load_digits(return_X_y=True)
        part = slice(-360, None) if held_out else slice(0, -360)
        self.digits = torch.tensor(images[part] / 16, dtype=torch.float32).view(-1, 1, 8, 8)
        self.labels = torch.tensor(labels[part])
        self.count, self.seed = count, seed

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        draw = torch.Generator().manual_seed(self.seed * 1_000_003 + index)
        canvas = 0.15 * torch.rand(1, SIZE, SIZE, generator=draw)
        quarters = torch.randperm(4, generator=draw)[: int(torch.randint(2, 5, (), generator=draw))]
        boxes, labels = [], []
        for quarter in quarters.tolist():
            chosen = int(torch.randint(len(self.labels), (), generator=draw))
            side = int(torch.randint(11, 19, (), generator=draw))
            shift = torch.randint(0, 24 - side + 1, (2,), generator=draw)
            top, left = (shift + 24 * torch.tensor([quarter // 2, quarter % 2])).tolist()
            digit = nn.functional.interpolate(self.digits[chosen][None], (side, side))[0]
            place = canvas[:, top : top + side, left : left + side]
            place.copy_(torch.maximum(place, digit))
            boxes.append([left, top, left + side, top + side])
            labels.append(self.labels[chosen])
        return {
            "image": canvas,
            "boxes": torch.tensor(boxes).float(),
            "labels": torch.stack(labels),
        }


def collate(samples: list[dict[str, Tensor]]) -> dict[str, Any]:
    """Images as one tensor, boxes and labels as lists: canvases have different numbers of them."""
    images = torch.stack([sample["image"] for sample in samples])
    lists = {key: [sample[key] for sample in samples] for key in ("boxes", "labels")}
    return {"images": images, **lists}


class CenterNet(BaseModel):
    """Finds centres of objects by class, and their sizes.

    Args:
        width: Channels.
        num_classes: Number of classes.
    """

    def __init__(self, width: int = 48, num_classes: int = 10) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, stride in ((1, 2), (width, 2), (width, 1), (width, 1), (width, 1)):
            layers += [nn.Conv2d(inputs, width, 3, stride, 1), nn.BatchNorm2d(width), nn.ReLU()]
        self.backbone = nn.Sequential(*layers)
        self.centers = nn.Conv2d(width, num_classes, 1)
        self.sizes = nn.Conv2d(width, 4, 1)
        nn.init.constant_(self.centers.bias, -4.0)  # nearly all points are none
        self.num_classes = num_classes

    def forward(
        self, images: Tensor, boxes: Any = None, labels: Any = None, mode: str = "tensor"
    ) -> Any:
        """Maps of centres and sizes, or losses, or the boxes of each image."""
        features = self.backbone(images)
        centers, sizes = self.centers(features), self.sizes(features)
        if mode == "loss":
            wanted, box, there = self._targets(boxes, labels)
            focal = nn.functional.binary_cross_entropy_with_logits(
                centers, wanted, reduction="none"
            )
            wrong = (centers.sigmoid() - wanted).abs() ** 2
            count = there.sum()
            off = (sizes.permute(0, 2, 3, 1)[there] - box[there]).abs().sum()
            return {"loss_center": (wrong * focal).sum() / count, "loss_size": 0.1 * off / count}
        if mode == "predict":
            found = map(self._boxes, centers.sigmoid(), sizes)
            if boxes is None:
                return [{"prediction": each} for each in found]
            return [
                {"prediction": each, "target": {"boxes": there, "labels": kinds}}
                for each, there, kinds in zip(found, boxes, labels, strict=True)
            ]
        return centers, sizes

    def _targets(self, boxes: Any, labels: Any) -> tuple[Tensor, Tensor, Tensor]:
        """The maps that a perfect network gives: one point for each object."""
        device = boxes[0].device
        wanted = torch.zeros(len(boxes), self.num_classes, CELLS, CELLS, device=device)
        box = torch.zeros(len(boxes), CELLS, CELLS, 4, device=device)
        there = torch.zeros(len(boxes), CELLS, CELLS, dtype=torch.bool, device=device)
        for index, (each, kinds) in enumerate(zip(boxes, labels, strict=True)):
            x, y = (((each[:, :2] + each[:, 2:]) / 2) / STRIDE).long().clamp(0, CELLS - 1).T
            wanted[index, kinds, y, x] = 1
            origin = (torch.stack([x, y], 1) * STRIDE).repeat(1, 2)
            box[index, y, x] = (each - origin) / STRIDE
            there[index, y, x] = True
        return wanted, box, there

    def _boxes(self, centers: Tensor, sizes: Tensor) -> dict[str, Tensor]:
        """The points that are higher than their neighbours and above 0.3."""
        highest = nn.functional.max_pool2d(centers.amax(0, keepdim=True)[None], 3, 1, 1)[0]
        label, y, x = ((centers == highest) & (centers > 0.3)).nonzero(as_tuple=True)
        origin = torch.stack([x, y], 1).repeat(1, 2) * STRIDE
        return {
            "boxes": origin + sizes[:, y, x].T * STRIDE,
            "labels": label,
            "scores": centers[label, y, x],
        }


def draw(model: Any, figure: Any) -> None:
    """Canvases with the boxes that the model finds."""
    data = ScatteredDigits(6, seed=9, held_out=True)
    images = torch.stack([data[index]["image"] for index in range(len(data))])
    axes = figure.subplots(1, len(data))
    for axis, image, sample in zip(axes, images, model(images, mode="predict"), strict=True):
        found = sample["prediction"]
        axis.imshow(image[0].numpy(), cmap="gray_r")
        for (left, top, right, bottom), label in zip(
            found["boxes"].tolist(), found["labels"].tolist(), strict=True
        ):
            axis.plot(
                [left, right, right, left, left], [top, top, bottom, bottom, top], color="tab:red"
            )
            axis.text(left, top - 1, str(label), color="tab:red", fontsize=8)
