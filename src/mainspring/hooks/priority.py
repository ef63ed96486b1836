"""Priorities order the hooks that share a point: the smaller the value, the earlier the hook."""

from __future__ import annotations

from enum import Enum

from mainspring.errors import ConfigError, did_you_mean

__all__ = ["Priority", "get_priority"]


class Priority(Enum):
    """Named priorities, from the first to run to the last."""

    HIGHEST = 0
    VERY_HIGH = 10
    HIGH = 30
    ABOVE_NORMAL = 40
    NORMAL = 50
    BELOW_NORMAL = 60
    LOW = 70
    VERY_LOW = 90
    LOWEST = 100


def get_priority(priority: int | str | Priority) -> int:
    """The numeric value of a priority.

    Args:
        priority: A number from 0 to 100, a member of `Priority`, or a member's name in any case.

    Raises:
        TypeError: It is none of these.
        ConfigError: The number is out of range (also a ValueError), or no priority has that name.
    """
    if isinstance(priority, Priority):
        return priority.value
    if isinstance(priority, str):
        member = Priority.__members__.get(priority.upper())
        if member is None:
            names = list(Priority.__members__)
            raise ConfigError(
                f"there is no priority {priority!r}",
                help=did_you_mean(priority, names) or f"it is one of {', '.join(names)}",
            )
        return int(member.value)
    if isinstance(priority, bool) or not isinstance(priority, int):
        raise TypeError(
            f"a priority is a number, a name or a Priority, not {type(priority).__name__}"
        )
    if not 0 <= priority <= 100:
        raise ConfigError(f"priority {priority} is out of range", help="it lies between 0 and 100")
    return priority
