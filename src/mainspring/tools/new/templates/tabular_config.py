# Predict the prices of houses from a table: mainspring train config.py
from tabular_data import Houses
from tabular_model import Layers
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import RegressionErrors
from mainspring.hooks import CheckpointHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 5

model = Supervised(Layers(columns=4), nn.MSELoss())
train_dataloader = DataLoader(Houses(1024), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Houses(256, seed=1), batch_size=64)
val_evaluator = RegressionErrors()
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
default_hooks = dict(checkpoint=CheckpointHook(save_best="mae", rule="less"))
randomness = dict(seed=0)
