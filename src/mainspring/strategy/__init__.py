"""How a model is placed on devices and wrapped for several processes."""

from mainspring.strategy.base import Strategy
from mainspring.strategy.ddp import DDPStrategy
from mainspring.strategy.gradient_buckets import bucket_orders, restore_bucket_orders
from mainspring.strategy.single import SingleDeviceStrategy

__all__ = [
    "DDPStrategy",
    "SingleDeviceStrategy",
    "Strategy",
    "bucket_orders",
    "restore_bucket_orders",
]
