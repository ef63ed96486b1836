"""What classes of MMEngine's answer that are missing here: what to do instead."""

from __future__ import annotations

from typing import Any

from mainspring.errors import ConfigError

__all__ = ["Missing", "MissingStrategyError"]


class MissingStrategyError(ConfigError, NotImplementedError):
    """A strategy, or a part of one, that mainspring does not have."""


class Missing:
    """A class of MMEngine's that cannot be made here.

    Args:
        *args: Not looked at.
        **kwargs: Not looked at.
    """

    instead = (
        "use DDPStrategy, with optim_wrapper = dict(type='AmpOptimWrapper', ...) for precision"
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise MissingStrategyError(
            f"mainspring has no {type(self).__name__}", config_path="strategy", help=self.instead
        )
