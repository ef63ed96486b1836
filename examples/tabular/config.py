# Predict a number from a row of a table: mainspring train examples/tabular/config.py
from progression import Network, Patients
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import RegressionErrors
from mainspring.hooks import CheckpointHook, EarlyStoppingHook
from mainspring.model import Supervised
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

epochs = 100

model = Supervised(Network(width=64, dropout=0.3), nn.SmoothL1Loss())
train_dataloader = DataLoader(Patients("train"), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Patients("val"), batch_size=88)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=2e-3, weight_decay=0.05))
val_evaluator = RegressionErrors()
default_hooks = dict(
    checkpoint=CheckpointHook(interval=20, save_best="r2", rule="greater"),
)
custom_hooks = [EarlyStoppingHook(monitor="r2", rule="greater", patience=20, min_delta=0.0)]
randomness = dict(seed=0)
