# Imitate points on a ring: mainspring train config.py
from gan_data import Ring
from gan_model import GAN
from torch.optim import Adam

from mainspring.config import later
from mainspring.dataset import DataLoader
from mainspring.optim import OptimWrapper
from mainspring.runner import ByEpoch

epochs = 20

model = GAN(noise=8)
train_dataloader = DataLoader(Ring(1024), batch_size=64, shuffle=True)
train_cfg = ByEpoch(max_epochs=epochs)
optim_wrapper = dict(
    generator=OptimWrapper(later(Adam)(lr=1e-3, betas=(0.5, 0.999))),
    discriminator=OptimWrapper(later(Adam)(lr=1e-3, betas=(0.5, 0.999))),
)
randomness = dict(seed=0)
