from mmengine.config import read_base

with read_base():
    from .new_style_base import *

from copy import deepcopy

from torch.optim import AdamW
from zoo_models import PAFPN, RandomFlip

# a lighter model
model.update(
    dict(
        backbone=dict(depth=18, frozen_stages=1),  # shallow
        neck=dict(type=PAFPN, in_channels=[128, 256])))
model.bbox_head.num_classes = 20
train_pipeline.insert(1, dict(type=RandomFlip, prob=0.5))
val_pipeline = deepcopy(train_pipeline)
val_pipeline[0].update(scale=(640, 640))
train_dataloader.dataset.pipeline = train_pipeline
optim_wrapper.optimizer = dict(type=AdamW, lr=1e-4)
