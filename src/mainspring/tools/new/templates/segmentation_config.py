# Find the shape that each pixel belongs to: mainspring train config.py
from segmentation_data import Shapes
from segmentation_model import SmallUNet
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import MeanIoU
from mainspring.hooks import CheckpointHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 8

model = Supervised(SmallUNet(num_classes=4), nn.CrossEntropyLoss())
train_dataloader = DataLoader(Shapes(256), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Shapes(64, first=1000), batch_size=64)
val_evaluator = MeanIoU(num_classes=4)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
default_hooks = dict(checkpoint=CheckpointHook(save_best="mIoU"))
randomness = dict(seed=0)
