"""MMEngine's path of the time counter."""

from mainspring.logging.time_counter import TimeCounter

__all__ = ["TimeCounter"]
