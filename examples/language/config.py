# Write like a handbook, character by character: mainspring train examples/language/config.py
from characters import Characters, Transformer
from torch.optim import AdamW

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.evaluator import Perplexity
from mainspring.hooks import CheckpointHook
from mainspring.optim import CosineAnnealingLR, LinearLR, OptimWrapper
from mainspring.runner import ByIteration

iterations = 1000
length = 48

model = Transformer(width=64, layers=2, length=length)
train_dataloader = DataLoader(Characters("train", length), batch_size=32, shuffle=True)
val_dataloader = DataLoader(Characters("val", length, count=200), batch_size=50)
train_cfg = ByIteration(max_iters=iterations, val_interval=200)
optim_wrapper = OptimWrapper(later(AdamW)(lr=3e-3, betas=(0.9, 0.99)), clip_grad=1.0)
val_evaluator = Perplexity()
param_scheduler = [
    later(LinearLR)(start_factor=0.05, end=50),
    later(CosineAnnealingLR)(begin=50, eta_min=1e-4),
]
default_hooks = dict(checkpoint=CheckpointHook(interval=400, save_best="perplexity", rule="less"))
randomness = dict(seed=0)
