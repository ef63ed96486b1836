# Draw the digit that is asked for: mainspring train examples/gan/config.py
from gan import ConditionalGAN, DigitImages
from torch.optim import Adam

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.hooks import CheckpointHook, EMAHook
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

epochs = 120

model = ConditionalGAN(noise=16, width=256)
train_dataloader = DataLoader(DigitImages(), batch_size=64, shuffle=True, drop_last=True)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = dict(
    generator=OptimWrapper(later(Adam)(lr=4e-4, betas=(0.5, 0.99))),
    critic=OptimWrapper(later(Adam)(lr=4e-4, betas=(0.5, 0.99))),
)
default_hooks = dict(checkpoint=CheckpointHook(interval=40))
custom_hooks = [EMAHook(momentum=0.005)]
randomness = dict(seed=0)
