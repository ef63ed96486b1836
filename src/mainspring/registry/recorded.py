"""What a registry knows of calls that a config file recorded instead of making them."""

from __future__ import annotations

import abc
from typing import Any

__all__ = ["POSITIONAL_KEY", "RecordedCall", "RecordedName"]

POSITIONAL_KEY = "_args_"
"""Where a spec keeps positional arguments, which come before those by name."""


class RecordedCall(abc.ABC):
    """A spec that was written as a call: ``ResNet(depth=50)`` rather than a dict.

    Unlike in a dict, the calls inside of its arguments are meant as calls as well: they are built
    before it, unless its signature says that it wants them as dicts.
    """

    @property
    @abc.abstractmethod
    def is_late(self) -> bool:
        """Whether the runner adds the first argument later: ``later(AdamW)(lr=1e-3)``."""


class RecordedName(abc.ABC):
    """An imported name that a config file uses as a value: ``act=nn.ReLU``."""

    @abc.abstractmethod
    def build(self) -> Any:
        """Import what it names."""
