"""A detector with one level: each cell of a grid says whether an object's middle lies in it."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, BaseModule, bias_init_with_prob
from mmengine.structures import InstanceData
from torch import nn

from .registry import MODELS


@MODELS.register_module()
class TinyBackbone(BaseModule):
    def __init__(
        self,
        channels=(16, 32, 48),
        norm_cfg=dict(type="BN"),
        init_cfg=[
            dict(type="Kaiming", layer="Conv2d"),
            dict(type="Constant", val=1, layer="BatchNorm2d"),
        ],
    ):
        super().__init__(init_cfg)
        norm = {"BN": nn.BatchNorm2d, "IN": nn.InstanceNorm2d}[norm_cfg["type"]]
        layers, before = [], 3
        for width in channels:
            layers += [nn.Conv2d(before, width, 3, stride=2, padding=1), norm(width), nn.ReLU()]
            before = width
        self.layers = nn.Sequential(*layers)

    def forward(self, x):
        return self.layers(x)


@MODELS.register_module()
class PointHead(BaseModule):
    def __init__(self, num_classes, in_channels, stride, loss_bbox_weight=1.0, score_thr=0.3):
        super().__init__(
            init_cfg=dict(
                type="Normal",
                layer="Conv2d",
                std=0.01,
                override=dict(type="Normal", name="cls", std=0.01, bias=bias_init_with_prob(0.02)),
            )
        )
        self.num_classes, self.stride, self.score_thr = num_classes, stride, score_thr
        self.loss_bbox_weight = loss_bbox_weight
        self.conv = nn.Conv2d(in_channels, in_channels, 3, padding=1)
        self.cls = nn.Conv2d(in_channels, num_classes, 1)
        self.reg = nn.Conv2d(in_channels, 4, 1)

    def forward(self, x):
        x = F.relu(self.conv(x))
        return self.cls(x), self.reg(x)

    def targets(self, instances, height, width):
        """Classes (H, W), `num_classes` where nothing is; log distances to the sides (H, W, 4)."""
        classes = torch.full((height, width), self.num_classes)
        distances = torch.zeros(height, width, 4)
        for box, label in zip(instances.bboxes, instances.labels):
            middle = (box[:2] + box[2:]) / 2
            column, row = (middle / self.stride).long().tolist()
            point = (torch.tensor([column, row]) + 0.5) * self.stride
            classes[row, column] = label
            sides = torch.cat([point - box[:2], box[2:] - point])
            distances[row, column] = (sides.clamp(min=1) / self.stride).log()
        return classes, distances

    def loss(self, x, data_samples):
        scores, sides = self(x)
        found = [self.targets(one.gt_instances, *scores.shape[2:]) for one in data_samples]
        classes = torch.stack([one[0] for one in found])
        distances = torch.stack([one[1] for one in found])
        positive = classes < self.num_classes
        wanted = F.one_hot(classes, self.num_classes + 1)[..., :-1].permute(0, 3, 1, 2).float()
        loss_cls = F.binary_cross_entropy_with_logits(scores, wanted, reduction="sum")
        loss_bbox = F.l1_loss(sides.permute(0, 2, 3, 1)[positive], distances[positive])
        return dict(
            loss_cls=loss_cls / positive.sum().clamp(min=1),
            loss_bbox=loss_bbox * self.loss_bbox_weight,
        )

    def predict(self, x):
        scores, sides = self(x)
        results = []
        for score, side in zip(scores.sigmoid(), sides):
            best, labels = score.max(dim=0)
            rows, columns = torch.where(best > self.score_thr)
            points = (torch.stack([columns, rows], dim=1) + 0.5) * self.stride
            reach = side[:, rows, columns].T.exp() * self.stride
            results.append(
                InstanceData(
                    bboxes=torch.cat([points - reach[:, :2], points + reach[:, 2:]], dim=1),
                    scores=best[rows, columns],
                    labels=labels[rows, columns],
                )
            )
        return results


@MODELS.register_module()
class PointDetector(BaseModel):
    def __init__(self, backbone, bbox_head, data_preprocessor=None, init_cfg=None):
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.bbox_head = MODELS.build(bbox_head)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        x = self.backbone(inputs)
        if mode == "loss":
            return self.bbox_head.loss(x, data_samples)
        if mode == "predict":
            for data_sample, instances in zip(data_samples, self.bbox_head.predict(x)):
                data_sample.pred_instances = instances
            return data_samples
        return self.bbox_head(x)
