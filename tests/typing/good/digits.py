from torch.optim import AdamW
from zoo import Digits, SmallCNN

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Accuracy
from mainspring.hooks import CheckpointHook
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 12

model = SmallCNN(width=32, num_classes=10)
train_dataloader = DataLoader(Digits("train", shift=1), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Digits("val"), batch_size=120)
train_cfg = ByEpoch(max_epochs=epochs)
val_cfg = dict(fp16=False)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
val_evaluator = Accuracy()
default_hooks = dict(checkpoint=CheckpointHook(save_best="accuracy"))
randomness = dict(seed=0)
