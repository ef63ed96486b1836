# The training of the teacher, on all images
from distill import Digits, Net
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 25

model = Supervised(Net(width=256), nn.CrossEntropyLoss())
train_dataloader = DataLoader(Digits("train"), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Digits("val"), batch_size=360)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=2e-3))
param_scheduler = later(CosineAnnealingLR)()
val_evaluator = Accuracy()
randomness = dict(seed=0)
