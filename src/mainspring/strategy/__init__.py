"""How a model is placed on devices and wrapped for several processes."""

from mainspring.strategy.gradient_buckets import bucket_orders, restore_bucket_orders
from mainspring.strategy.placing import DDPStrategy, SingleDeviceStrategy, Strategy

__all__ = [
    "DDPStrategy",
    "SingleDeviceStrategy",
    "Strategy",
    "bucket_orders",
    "restore_bucket_orders",
]
