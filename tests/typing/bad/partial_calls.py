"""Mistakes in `functools.partial`, which both checkers understand."""

from functools import partial

from torch.optim import SGD
from zoo import ResNet

from mainspring.optim import LinearLR, LinearMomentum, OptimWrapper
from mainspring.runner import EpochBasedTrainLoop, Runner

wrong_class = OptimWrapper(partial(ResNet, depth=50))  # error: ResNet
wrong_name = OptimWrapper(partial(SGD, learning_rate=0.1))  # error: learning_rate
wrong_type = OptimWrapper(partial(SGD, lr="0.1"))  # error: lr
wrong_end = partial(LinearLR, end="5")  # error: end
wrong_momentum = partial(LinearMomentum, start_fctor=0.5)  # error: start_fctor
run = Runner(
    model=ResNet(),
    train_cfg=partial(EpochBasedTrainLoop, epochs=3),  # error: epochs
)
