"""One process, one device."""

from __future__ import annotations

from torch import nn

from mainspring.device import get_device
from mainspring.model import revert_sync_batchnorm

__all__ = ["SingleDeviceStrategy"]


class SingleDeviceStrategy:
    """The model runs in this process alone.

    Args:
        device: Where the model goes; the best available device by default.
    """

    def __init__(self, device: str | None = None) -> None:
        self.device = device if device is not None else get_device()

    def wrap(self, model: nn.Module) -> nn.Module:
        """Move the model to its device; synchronised batch norm becomes the ordinary one."""
        return revert_sync_batchnorm(model.to(self.device))
