"""A config in which everything is right."""

RECORDED = """
from check_parts import Backbone, Head, Net, Plain, Points, Resize, WithRest
from torch.optim import AdamW
from torch import nn

from mainspring.config import later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.evaluator import Accuracy
from mainspring.hooks import CheckpointHook, EarlyStoppingHook
from mainspring.optim import CosineAnnealingLR, LinearLR, MultiStepLR, OptimWrapper
from mainspring.runner import ByEpoch

model = Net(backbone=Backbone(depth=50))
train_dataloader = DataLoader(Points("train"), batch_size=4, shuffle=True)
val_dataloader = DataLoader(Points("val"), batch_size=4)
train_cfg = ByEpoch(max_epochs=12)
optim_wrapper = OptimWrapper(later(AdamW)(lr=1e-3))
val_evaluator = Accuracy()
"""
