# Copyright (c) Some Lab. All rights reserved.
import torch.nn as nn
from mmengine.config import read_base
from mmengine.hooks import EMAHook
from mmengine.model import ExponentialMovingAverage
from mmengine.optim import CosineAnnealingLR, LinearLR
from mmengine.runner import EpochBasedTrainLoop
from torch.optim import AdamW
from zoo_models import HeatmapHead, HRNet, KeypointMSELoss, MSRAHeatmap, TopdownPoseEstimator

with read_base():
    from ._base_.default_runtime import *

# common setting
num_keypoints = 17
input_size = (192, 256)
max_epochs = 420
stage2_num_epochs = 30
base_lr = 4e-3

train_cfg = dict(type=EpochBasedTrainLoop, max_epochs=max_epochs, val_interval=10,
                 dynamic_intervals=[(max_epochs - stage2_num_epochs, 1)])
randomness = dict(seed=21)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type=AdamW, lr=base_lr, weight_decay=0.05),
    paramwise_cfg=dict(norm_decay_mult=0, bias_decay_mult=0))
param_scheduler = [
    dict(type=LinearLR, start_factor=1.0e-5, by_epoch=False, begin=0, end=1000),
    dict(
        # use cosine lr from 210 to 420 epoch
        type=CosineAnnealingLR,
        eta_min=base_lr * 0.05,
        begin=max_epochs // 2,
        end=max_epochs,
        T_max=max_epochs // 2,
        by_epoch=True,
        convert_to_iter_based=True)
]
codec = dict(type=MSRAHeatmap, input_size=input_size, sigma=(4.9, 5.66))
model = dict(
    type=TopdownPoseEstimator,
    backbone=dict(type=HRNet, act_cfg=dict(type=nn.SiLU), norm=nn.BatchNorm2d),
    head=dict(
        type=HeatmapHead,
        out_channels=num_keypoints,
        in_featuremap_size=tuple([s // 32 for s in input_size]),
        loss=dict(type=KeypointMSELoss, use_target_weight=True),
        decoder=codec))
custom_hooks.append(
    dict(type=EMAHook, ema_type=ExponentialMovingAverage, momentum=0.0002, priority=49))
default_hooks.update(checkpoint=dict(save_best='coco/AP', rule='greater', max_keep_ckpts=1))
visualizer['save_dir'] = f'vis/{num_keypoints}'
