"""A backbone and a linear head."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, BaseModule, Sequential
from torch import nn

from .registry import MODELS


@MODELS.register_module()
class SmallNet(BaseModule):
    def __init__(self, widths=(16, 32), frozen_stages=-1, init_cfg=None):
        super().__init__(init_cfg)
        self.frozen_stages = frozen_stages
        self.stages = nn.ModuleList()
        for before, width in zip((3, *widths), widths):
            self.stages.append(
                Sequential(
                    nn.Conv2d(before, width, 3, stride=2, padding=1),
                    nn.BatchNorm2d(width),
                    nn.ReLU(inplace=True),
                )
            )

    def train(self, mode=True):
        super().train(mode)
        for stage in self.stages[: self.frozen_stages + 1]:
            stage.eval()
            stage.requires_grad_(False)
        return self

    def forward(self, x):
        for stage in self.stages:
            x = stage(x)
        return x.mean(dim=(2, 3))


@MODELS.register_module()
class LinearClsHead(BaseModule):
    def __init__(
        self,
        num_classes,
        in_channels,
        label_smooth_val=0.0,
        init_cfg=dict(type="Normal", layer="Linear", std=0.01),
    ):
        super().__init__(init_cfg)
        self.label_smooth_val = label_smooth_val
        self.fc = nn.Linear(in_channels, num_classes)

    def loss(self, features, data_samples):
        target = torch.stack([one.gt_label for one in data_samples])
        scores = self.fc(features)
        return dict(loss=F.cross_entropy(scores, target, label_smoothing=self.label_smooth_val))

    def predict(self, features, data_samples):
        scores = self.fc(features).softmax(dim=1)
        return [one.set_pred_score(score) for one, score in zip(data_samples, scores)]


@MODELS.register_module()
class ImageClassifier(BaseModel):
    def __init__(self, backbone, head, data_preprocessor=None, init_cfg=None):
        super().__init__(init_cfg=init_cfg, data_preprocessor=data_preprocessor)
        self.backbone = MODELS.build(backbone)
        self.head = MODELS.build(head)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        features = self.backbone(inputs)
        if mode == "tensor":
            return self.head.fc(features)
        if mode == "loss":
            return self.head.loss(features, data_samples)
        if mode == "predict":
            return self.head.predict(features, data_samples)
        raise RuntimeError(f'Invalid mode "{mode}".')
