"""The words of configs, used wrongly."""

from torch.optim import SGD
from zoo import ResNet, Swin

from mainspring.config import L, copy, env, include, later, sweep
from mainspring.dataset import DefaultSampler
from mainspring.optim import OptimWrapper

not_called = OptimWrapper(later(SGD))  # error: weight_decay
called_at_once = later(SGD(lr=0.1))  # error: params
by_position = later(DefaultSampler)("yes")  # error: bool
lent = L(ResNet)(dept=50)  # error: dept
waiting = L.late(SGD)(learning_rate=0.1)  # error: learning_rate
workers: str = env("WORKERS", 4)  # error: int
depth: int = sweep(1e-3, 1e-4)  # error: float
other: Swin = copy(ResNet())  # error: ResNet
base = include(5)  # error: include
model = ResNet()
model.depht = 101  # error: Tensor | Module
