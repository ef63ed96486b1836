# Learn a small language, letter by letter: mainspring train config.py
from language_data import Characters
from language_model import NextTokenLoss, SmallTransformer
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Perplexity
from mainspring.hooks import CheckpointHook
from mainspring.model import Supervised
from mainspring.optim import CosineAnnealingLR, OptimWrapper
from mainspring.runner import ByEpoch

epochs = 5

model = Supervised(SmallTransformer(vocabulary=29, context=32), NextTokenLoss())
train_dataloader = DataLoader(Characters(400), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Characters(80, seed=1), batch_size=64)
val_evaluator = Perplexity()
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3))
param_scheduler = later(CosineAnnealingLR)(T_max=epochs)
default_hooks = dict(checkpoint=CheckpointHook(save_best="perplexity", rule="less"))
randomness = dict(seed=0)
