"""An encoder with a way back up, a head, and an auxiliary head."""

import torch
import torch.nn.functional as F
from mmengine.model import BaseModel, BaseModule
from mmengine.structures import PixelData
from torch import nn

from .registry import MODELS


def conv_block(before, width, stride=1):
    return nn.Sequential(
        nn.Conv2d(before, width, 3, stride, 1, bias=False), nn.BatchNorm2d(width), nn.ReLU()
    )


@MODELS.register_module()
class TinyUNet(BaseModule):
    def __init__(self, base_channels=12, init_cfg=dict(type="Kaiming", layer="Conv2d")):
        super().__init__(init_cfg)
        self.stem = conv_block(3, base_channels)
        self.down = conv_block(base_channels, base_channels * 2, stride=2)
        self.bottom = conv_block(base_channels * 2, base_channels * 2, stride=2)
        self.up = conv_block(base_channels * 4, base_channels)

    def forward(self, x):
        stem = self.stem(x)
        down = self.down(stem)
        bottom = F.interpolate(self.bottom(down), size=down.shape[2:], mode="nearest")
        return self.up(torch.cat([down, bottom], dim=1)), down


@MODELS.register_module()
class FCNHead(BaseModule):
    def __init__(
        self,
        in_channels,
        num_classes,
        in_index=0,
        loss_weight=1.0,
        dropout_ratio=0.1,
        init_cfg=dict(type="Normal", std=0.01, override=dict(name="conv_seg")),
    ):
        super().__init__(init_cfg)
        self.in_index, self.loss_weight = in_index, loss_weight
        self.dropout = nn.Dropout2d(dropout_ratio)
        self.conv_seg = nn.Conv2d(in_channels, num_classes, 1)

    def forward(self, features):
        return self.conv_seg(self.dropout(features[self.in_index]))

    def loss(self, features, data_samples):
        labels = torch.stack([one.gt_sem_seg.data.squeeze(0) for one in data_samples])
        logits = F.interpolate(self(features), labels.shape[1:], mode="bilinear")
        accuracy = (logits.argmax(dim=1) == labels).float().mean() * 100
        return dict(loss_ce=F.cross_entropy(logits, labels) * self.loss_weight, acc_seg=accuracy)


@MODELS.register_module()
class EncoderDecoder(BaseModel):
    def __init__(
        self, backbone, decode_head, auxiliary_head=None, data_preprocessor=None, init_cfg=None
    ):
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.decode_head = MODELS.build(decode_head)
        if auxiliary_head is not None:
            self.auxiliary_head = MODELS.build(auxiliary_head)

    def forward(self, inputs, data_samples=None, mode="tensor"):
        if mode == "loss":
            return self.loss(inputs, data_samples)
        if mode == "predict":
            return self.predict(inputs, data_samples)
        return self.decode_head(self.backbone(inputs))

    def loss(self, inputs, data_samples):
        features = self.backbone(inputs)
        losses = {}
        for prefix, head in (("decode", "decode_head"), ("aux", "auxiliary_head")):
            if hasattr(self, head):
                found = getattr(self, head).loss(features, data_samples)
                losses.update({f"{prefix}.{name}": value for name, value in found.items()})
        return losses

    def predict(self, inputs, data_samples):
        logits = self.decode_head(self.backbone(inputs))
        logits = F.interpolate(logits, size=inputs.shape[2:], mode="bilinear")
        for data_sample, label in zip(data_samples, logits.argmax(dim=1, keepdim=True)):
            data_sample.pred_sem_seg = PixelData(data=label)
        return data_samples
