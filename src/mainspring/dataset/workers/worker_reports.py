"""What the workers of a loader send: batches, with where they stand, or errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch.utils.data._utils.pin_memory import pin_memory

from mainspring.dataset.collate import owner_of
from mainspring.object_state.inner_state import InnerState
from mainspring.rng.own_generators import generators_in
from mainspring.structures.nested_digest import nested_digest

__all__ = ["Failure", "Sent", "Watch", "state_of_data"]

_MOST_PARTS = 1000


class Failure:
    """What a worker sends instead of a batch when loading failed: the error itself.

    torch would send its text alone, and raise a new error of the same type if that type can be
    made from a text.

    Args:
        error: The error, notes included.
    """

    __slots__ = ("error",)

    def __init__(self, error: Exception) -> None:
        self.error = error


@dataclass(slots=True)
class Sent:
    """A batch, and what its worker tells beside it.

    Attributes:
        batch: The batch; ``None`` for a turn that was left out.
        worker: Number of the worker.
        states: Its states behind the batch, pickled, if they are kept.
        note: What the user should know.
    """

    batch: Any
    worker: int
    states: bytes = b""
    note: str = ""

    def pin_memory(self) -> Sent:
        """The same with the batch in pinned memory."""
        pinned = pin_memory(self.batch)  # type: ignore[no-untyped-call]  # - torch's
        return Sent(pinned, self.worker, self.states, self.note)


def state_of_data(dataset: Any, collate: Any = None) -> tuple[InnerState, bool]:
    """What a data set and a collate function remember, to be looked at behind each batch.

    Args:
        dataset: The data set.
        collate: The collate function.

    Returns:
        The state; and whether it is all of it. Of a data set with many parts, which would take
        longer to look at than a batch to load, it is the generators alone.
    """
    parts = {"dataset": dataset, "collate_fn": owner_of(collate)}
    whole = InnerState(lambda: parts, data=("dataset",), most=_MOST_PARTS)
    if len(whole) < _MOST_PARTS:
        return whole, True
    own = [one for part in parts.values() for one in generators_in(part)]
    found = {f"generator {number}": one for number, one in enumerate(own)}
    return InnerState(lambda: found), False


class Watch:
    """Looks around the second batch of a worker whether items change what the data set remembers.

    Args:
        dataset: The worker's copy of the data set.
        collate: That of the collate function.
    """

    def __init__(self, dataset: Any, collate: Any = None) -> None:
        self._name = type(dataset).__name__
        self._state, self.is_watching = state_of_data(dataset, collate)
        self._before: dict[str, str] | None = None
        self._has_seen_one = False

    def begin_batch(self) -> None:
        """Note what there is, which others may have changed in memory that the processes share."""
        self._before = self._now() if self._has_seen_one else None
        self._has_seen_one = True  # what is set once, as by the first item, is no matter

    def _now(self) -> dict[str, str]:
        kept = self._state.capture()
        # The generators of both are seeded.
        return {p: nested_digest(one["state"]) for p, one in kept.items() if one["kind"] == "value"}

    def look(self) -> str:
        """What is to be said of the batch that has begun, if anything."""
        before = self._before
        if before is None:
            return ""
        now = self._now()
        self.is_watching = False
        moved = [path for path, state in now.items() if before.get(path) != state]
        if not moved:
            return ""
        shown = ", ".join(moved[:3]) + (" ..." if moved[3:] else "")
        return (
            f"batches of {self._name} change what is remembered in its workers ({shown}): that is "
            "not in the checkpoints, so a resumed run may differ, unless it is a cache of what is "
            "always the same. Let items depend on their index and on random numbers alone; or keep "
            'it with sample_rng="worker"'
        )
