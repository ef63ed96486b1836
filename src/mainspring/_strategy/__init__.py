"""MMEngine's path of strategies, which make, save and load the parts that are trained."""

from mainspring._strategy.colossalai import ColossalAIStrategy
from mainspring._strategy.deepspeed import DeepSpeedStrategy
from mainspring._strategy.fsdp import FSDPStrategy
from mainspring.runner.strategies import BaseStrategy, DDPStrategy, SingleDeviceStrategy

__all__ = [
    "BaseStrategy",
    "ColossalAIStrategy",
    "DDPStrategy",
    "DeepSpeedStrategy",
    "FSDPStrategy",
    "SingleDeviceStrategy",
]
