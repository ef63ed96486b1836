# Find shapes pixel by pixel: mainspring train examples/segmentation/config.py
from shapes import Shapes, UNet
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import MeanIoU
from mainspring.hooks import CheckpointHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 6

model = Supervised(UNet(width=16), nn.CrossEntropyLoss())
train_dataloader = DataLoader(Shapes(1000), batch_size=16, shuffle=True)
val_dataloader = DataLoader(Shapes(200, seed=1), batch_size=50)
train_cfg = ByEpoch(max_epochs=epochs)
val_cfg = dict(compute_loss=True)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
val_evaluator = MeanIoU(num_classes=4)
default_hooks = dict(checkpoint=CheckpointHook(save_best="mIoU"))
randomness = dict(seed=0)
