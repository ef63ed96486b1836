"""How many micro-batches an optimizer's step has, when that number changes during a training.

It is changed by accumulating more of them, rather than by larger batches: memory, the length of an
epoch, and whatever else counts iterations then stay as they are, with any loader.
"""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from mainspring.errors import ConfigError

__all__ = ["AccumulationSchedule", "checked_counts"]


class AccumulationSchedule:
    """The group of micro-batches that each one belongs to, as a function of its number.

    A number holds for the groups that begin where it begins or later; a group that has begun ends
    as it began.

    Args:
        pairs: From where on, and how many micro-batches.
        unit: Micro-batches of what the beginnings count in.

    Example:
        >>> schedule = AccumulationSchedule([(0, 2), (3, 4)])
        >>> [schedule.group_of(number) for number in (1, 2, 3, 4)]
        [(0, 2), (2, 2), (2, 2), (4, 4)]
    """

    def __init__(self, pairs: Sequence[tuple[int, int]], unit: int = 1) -> None:
        self.pairs = pairs
        self._firsts, self._groups_before = [0], [0]
        for (_, size), (begin, _) in itertools.pairwise(pairs):
            groups = -(-max(begin * unit - self._firsts[-1], 0) // size)
            self._firsts.append(self._firsts[-1] + groups * size)
            self._groups_before.append(self._groups_before[-1] + groups)

    @property
    def largest(self) -> int:
        """The most micro-batches of a group."""
        return max(size for _, size in self.pairs)

    def group_of(self, number: int) -> tuple[int, int]:
        """The first micro-batch of a group, and how many it has.

        Args:
            number: A micro-batch of it, counted from 0.
        """
        place = bisect_right(self._firsts, number) - 1
        first, size = self._firsts[place], self.pairs[place][1]
        return number - (number - first) % size, size

    def groups_before(self, number: int) -> int:
        """How many groups are complete before a micro-batch."""
        place = bisect_right(self._firsts, number) - 1
        return self._groups_before[place] + (number - self._firsts[place]) // self.pairs[place][1]


def checked_counts(counts: Any) -> tuple[int, AccumulationSchedule | None]:
    """The most micro-batches of a step, and how their number changes, if it does.

    Args:
        counts: A number, or pairs.

    Raises:
        ConfigError: It is neither, or the pairs make no schedule.
    """
    if _is_whole(counts, 1):
        return counts, None
    if not isinstance(counts, list | tuple) or not counts:
        raise ConfigError(
            f"accumulative_counts is {counts!r}",
            help="give a whole number of at least 1, or pairs such as [(0, 1), (10, 4)]",
        )
    pairs: list[Any] = [tuple(pair) if isinstance(pair, list | tuple) else () for pair in counts]
    if not all(len(pair) == 2 and _is_whole(pair[0]) and _is_whole(pair[1], 1) for pair in pairs):
        raise ConfigError(
            f"accumulative_counts is {counts!r}",
            help="give pairs of where a number begins and the number, such as [(0, 1), (10, 4)]",
        )
    begins = [begin for begin, _ in pairs]
    if begins[0] or any(later <= earlier for earlier, later in itertools.pairwise(begins)):
        raise ConfigError(
            f"accumulative_counts begins at {', '.join(map(str, begins))}",
            help="begin at 0, and let each pair begin later than the one before",
        )
    schedule = AccumulationSchedule(pairs)
    return schedule.largest, schedule


def _is_whole(value: Any, least: int = 0) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least
