# Copyright (c) Some Lab. All rights reserved.
from mmengine.dataset.sampler import DefaultSampler
from mmengine.optim import OptimWrapper, LinearLR, MultiStepLR
from torch.optim import SGD
from torch.nn import BatchNorm2d, ReLU
from zoo_models import (FPN, AspectRatioBatchSampler, CocoDataset, ResNet,
                        RetinaHead, RetinaNet, PackDetInputs, Resize)
from notinstalled.losses import VarifocalLoss

norm = dict(type=BatchNorm2d, requires_grad=True)
# the model
model = dict(
    type=RetinaNet,
    backbone=dict(type=ResNet, depth=50, norm_cfg=norm),
    neck=dict(type=FPN, in_channels=[256, 512], norm_cfg=norm, act=ReLU),
    bbox_head=dict(type=RetinaHead, loss_cls=dict(type=VarifocalLoss, alpha=0.75)))
train_pipeline = [dict(type=Resize, scale=(1333, 800)), dict(type=PackDetInputs)]
train_dataloader = dict(
    batch_size=2,
    sampler=dict(type=DefaultSampler, shuffle=True),
    batch_sampler=dict(type=AspectRatioBatchSampler),
    dataset=dict(type=CocoDataset, pipeline=train_pipeline))
val_dataloader = train_dataloader
optim_wrapper = dict(
    type=OptimWrapper, optimizer=dict(type=SGD, lr=0.02, momentum=0.9))
param_scheduler = [
    dict(type=LinearLR, start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type=MultiStepLR, begin=0, end=12, milestones=[8, 11], gamma=0.1)]
