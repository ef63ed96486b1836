# Find and read digits on a canvas: mainspring train examples/detection/config.py
from boxes import CenterNet, ScatteredDigits, collate
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import BoxAveragePrecision
from mainspring.hooks import CheckpointHook
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 8

model = CenterNet(width=48)
train_dataloader = DataLoader(
    ScatteredDigits(2000), batch_size=32, shuffle=True, collate_fn=collate
)
val_dataloader = DataLoader(
    ScatteredDigits(200, seed=1, held_out=True), batch_size=50, collate_fn=collate
)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=4e-3), clip_grad=10.0)
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
val_evaluator = BoxAveragePrecision()
default_hooks = dict(checkpoint=CheckpointHook(save_best="mAP"))
randomness = dict(seed=0)
