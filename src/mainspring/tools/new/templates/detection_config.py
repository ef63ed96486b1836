# Find shapes and their boxes: mainspring train config.py
from detection_data import Shapes, collate
from detection_model import CenterDetector
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import BoxAveragePrecision
from mainspring.hooks import CheckpointHook
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 8

model = CenterDetector(num_classes=3)
train_dataloader = DataLoader(Shapes(512), batch_size=32, shuffle=True, collate_fn=collate)
val_dataloader = DataLoader(Shapes(128, first=1000), batch_size=64, collate_fn=collate)
val_evaluator = BoxAveragePrecision()
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
default_hooks = dict(checkpoint=CheckpointHook(save_best="mAP"))
randomness = dict(seed=0)
