"""Where a pass drew from the global generators between draws of others, so that it can do so again.

A sampler, stream or loader may draw batch by batch, beside a model that draws as well. When its
first batches are taken again, those draws have to begin from the states that they had found.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from mainspring.checkpoint.plain_types import as_plain_types, as_they_were
from mainspring.logging import warn
from mainspring.rng.global_generators import drawn_since, global_states, put_back
from mainspring.rng.states import RandomStates

__all__ = ["NotedDraws"]

_MOST_NOTED = 1000
"""States that a checkpoint keeps, of 10 KB each."""


class NotedDraws:
    """Batches of a pass before which others had drawn, and the states of the generators then.

    Args:
        beyond: What a warning says that a resumed run may have beyond the most states that are
            kept, and what the user can do.
    """

    def __init__(
        self,
        beyond: str = "other batches. Give it state_dict and load_state_dict, or a generator of "
        "its own",
    ) -> None:
        self._beyond = beyond
        self._noted: list[tuple[int, RandomStates]] = []
        self._is_warned = False

    def noting(
        self, batches: Iterator[Any], of: Any, number: int = 0, *, draws_once: bool = False
    ) -> Iterator[Any]:
        """Batches, while it is noted which of them drew, and from which states.

        Args:
            batches: A pass.
            of: Whose it is, which a warning names.
            number: How many of it were left out.
            draws_once: Whether nothing is drawn behind its first batch.
        """
        self._noted = [each for each in self._noted if each[0] < number]
        after: dict[str, Any] = {}
        while True:
            was_left_alone = bool(after) and not drawn_since(after)
            before = after if was_left_alone else global_states()
            try:
                batch = next(batches)
            except StopIteration:
                return
            has_drawn = bool(drawn_since(before))
            # What is drawn at once is drawn now, perhaps behind initial weights; or a thread has
            # drawn it already.
            if not was_left_alone and (has_drawn or not number):
                self._note(number, before, of)
            after = global_states() if has_drawn else before
            number += 1
            yield batch
            if draws_once:
                yield from batches
                return

    def _note(self, number: int, states: dict[str, Any], of: Any) -> None:
        if len(self._noted) < _MOST_NOTED:
            now = global_states()
            put_back(states)
            self._noted.append((number, RandomStates.capture(devices=False)))
            put_back(now)
        elif not self._is_warned:
            self._is_warned = True
            warn(
                f"{type(of).__name__} draws from the global generators batch by batch: behind "
                f"{_MOST_NOTED} batches of a pass, a resumed run may have {self._beyond}"
            )

    def skip(self, order: Iterator[Any], count: int, length: int = 1) -> None:
        """Take from a pass what it has given before, drawing as it did.

        Args:
            order: A pass from its start, or the indices that its batches are cut from.
            count: How many to take.
            length: How many of them make a batch.
        """
        done = 0
        for number, states in self._noted:
            if number * length >= count:
                break
            _take(order, number * length - done)
            states.restore()
            done = number * length
        _take(order, count - done)

    def state_dict(self) -> dict[str, Any]:
        """What was noted, in plain types."""
        noted = [[number, as_plain_types(states.state_dict())] for number, states in self._noted]
        return {"interleaved": noted} if noted else {}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what an earlier process has noted.

        Args:
            state: What `state_dict` gave, among other things.
        """
        self._noted = [
            (number, RandomStates.from_state_dict(as_they_were(dict(states))))
            for number, states in state.get("interleaved", ())
        ]


def _take(order: Iterator[Any], count: int) -> None:
    next(itertools.islice(order, count, count), None)
