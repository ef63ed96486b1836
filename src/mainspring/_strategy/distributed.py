"""MMEngine's path of `DDPStrategy`."""

from mainspring.runner.strategies import DDPStrategy

__all__ = ["DDPStrategy"]
