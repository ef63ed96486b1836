"""MMEngine's path of the settings for several processes."""

from mainspring.device.multi_processing import set_multi_processing

__all__ = ["set_multi_processing"]
