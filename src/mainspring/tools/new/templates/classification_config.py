# Sort pictures of shapes into classes: mainspring train config.py
from classification_data import Shapes
from classification_model import SmallCNN
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.hooks import CheckpointHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 5

model = Supervised(SmallCNN(num_classes=3), nn.CrossEntropyLoss())
train_dataloader = DataLoader(Shapes(512), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Shapes(128, first=1000), batch_size=64)
val_evaluator = Accuracy()
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
default_hooks = dict(checkpoint=CheckpointHook(save_best="accuracy"))
randomness = dict(seed=0)
