"""MMEngine's path of the description of the machine."""

from mainspring.device.collect_env import collect_env

__all__ = ["collect_env"]
