"""Values that stand for several runs: ``lr = sweep(1e-3, 3e-4, 1e-4)``."""

from __future__ import annotations

from typing import Any, TypeVar

from mainspring.config.recording import calling_place
from mainspring.errors import ConfigError, Location

__all__ = ["Sweep", "sweep"]

T = TypeVar("T")


class Sweep:
    """A value of a config that is one of several, each in a run of its own.

    Args:
        choices: The values.
        where: Where they are written.
    """

    def __init__(self, choices: tuple[Any, ...], where: Location | None = None) -> None:
        self.choices = choices
        self.where = where

    def __repr__(self) -> str:
        return f"sweep({', '.join(map(repr, self.choices))})"


def sweep(first: T, *others: T) -> T:
    """A value that is one of several: `mainspring sweep` makes a run for each.

    Args:
        first: A value.
        *others: The other values.

    Returns:
        What stands for them; it is typed as one of them.

    Raises:
        ConfigError: There is only one value.
    """
    if not others:
        raise ConfigError(
            "sweep() needs at least two values",
            location=calling_place(),
            help="write the value itself when there is only one",
        )
    chosen: Any = Sweep((first, *others), calling_place())
    return chosen
