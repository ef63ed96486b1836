"""What every strategy offers to the runner."""

from __future__ import annotations

from typing import Protocol

from torch import nn

__all__ = ["Strategy"]


class Strategy(Protocol):
    """Places a model and wraps it for the processes of a run."""

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return the model on its device, ready for the training loop of this process."""
        ...
