"""Ready objects, a plain DataLoader, by epoch."""

import torch
from torch.utils.data import DataLoader
from toy import SignAccuracy, ToyDataset, ToyModel

from mainspring.optim import MultiStepLR, OptimWrapper
from mainspring.runner import Runner


def main(work_dir, **extra):
    torch.manual_seed(11)
    model = ToyModel()
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
    runner = Runner(
        model=model,
        work_dir=work_dir,
        train_dataloader=DataLoader(ToyDataset(), batch_size=8, shuffle=True),
        train_cfg=dict(by_epoch=True, max_epochs=3),
        optim_wrapper=wrapper,
        param_scheduler=MultiStepLR(wrapper, milestones=[1, 2], gamma=0.1),
        val_dataloader=DataLoader(ToyDataset(), batch_size=10, shuffle=False),
        val_cfg=dict(),
        val_evaluator=[SignAccuracy()],
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        randomness=dict(seed=3, **extra),
    )
    runner.train()
    return runner
