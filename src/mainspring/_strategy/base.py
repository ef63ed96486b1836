"""MMEngine's path of `BaseStrategy`."""

from mainspring.runner.strategies import BaseStrategy

__all__ = ["BaseStrategy"]
