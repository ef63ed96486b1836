# The first training, on the digits from 0 to 4
from halves import HalfOfTheDigits, Net
from torch import nn
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 6

model = Supervised(Net(width=32, head="old"), nn.CrossEntropyLoss())
train_dataloader = DataLoader(HalfOfTheDigits(0, "train"), batch_size=32, shuffle=True)
val_dataloader = DataLoader(HalfOfTheDigits(0, "val"), batch_size=180)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)()
val_evaluator = Accuracy()
randomness = dict(seed=0)
