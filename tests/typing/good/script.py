"""A script: here nothing is recorded, and the words act on real classes."""

from collections.abc import Callable
from functools import partial

from torch import nn
from torch.optim import SGD, Optimizer
from zoo import Digits, SmallCNN

from mainspring.config import Config, Factory, L, later
from mainspring.dataset import DataLoader, DefaultSampler
from mainspring.evaluator import Accuracy
from mainspring.optim import LinearLR, OptimWrapper
from mainspring.runner import ByEpoch, Runner

make_optimizer: Factory[Optimizer] = later(SGD)(lr=0.1)
make_scheduler: Callable[..., LinearLR] = later(LinearLR)(end=5)
model = SmallCNN()
optimizer: Optimizer = make_optimizer(model.parameters())
warm_up: LinearLR = make_scheduler(optimizer)
by_hand = partial(SGD, lr=0.1)

runner = Runner(
    model=model,
    work_dir="work_dirs/script",
    train_dataloader=DataLoader(Digits("train"), sampler=later(DefaultSampler)(shuffle=True)),
    train_cfg=ByEpoch(3),
    optim_wrapper=OptimWrapper(optimizer=by_hand(model.parameters()), accumulative_counts=2),
    param_scheduler=warm_up,
    val_dataloader=DataLoader([1, 2, 3], batch_size=2),
    val_cfg=dict(),
    val_evaluator=Accuracy,
)
trained: nn.Module = runner.train()

described: SmallCNN = L(SmallCNN)(width=16)
waiting = L.late(SGD)(lr=0.1)
again: Runner = Runner.from_cfg(Config.fromfile("config.py"))
