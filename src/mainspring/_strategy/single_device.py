"""MMEngine's path of `SingleDeviceStrategy`."""

from mainspring.runner.strategies import SingleDeviceStrategy

__all__ = ["SingleDeviceStrategy"]
