"""The generators, and what samplers remember, as an iteration found them: its order once more.

Samplers such as torch's `RandomSampler` draw the order of an epoch when the epoch begins. An epoch
that is continued in its middle has the same order only if it begins from the same states.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import IterableDataset

from mainspring.checkpoint.plain_types import as_plain_types, as_they_were
from mainspring.dataset.any_loader import loaders_inside
from mainspring.device.inner_state import InnerState, Kept
from mainspring.logging import warn
from mainspring.rng.global_generators import drawn_since, global_states, put_back
from mainspring.rng.states import RandomStates

__all__ = ["LoaderState", "NotedDraws", "OrderStart", "is_continued_stream"]

_MOST_NOTED = 1000
"""States that a checkpoint keeps, of 10 KB each."""


def is_continued_stream(loader: Any) -> bool:
    """Whether the data set of a loader is a stream in this process that continues from its state.

    Args:
        loader: Any loader.
    """
    dataset: Any = getattr(loader, "dataset", None)
    workers: int = getattr(loader, "num_workers", 1)
    if not isinstance(dataset, IterableDataset) or workers:
        return False
    part: Any = dataset
    while part is not None:
        # The streams of Hugging Face leave what waits in such a buffer out of their states.
        if hasattr(part, "buffer_size"):
            return False
        part = getattr(part, "_ex_iterable", None) or getattr(part, "ex_iterable", None)
    return hasattr(dataset, "state_dict") and hasattr(dataset, "load_state_dict")


class LoaderState(InnerState):
    """What a loader, those inside of it, and their samplers remember; and a stream without state.

    Args:
        loader: What is iterated.
    """

    def __init__(self, loader: Any) -> None:
        def owners() -> dict[str, Any]:
            parts: dict[str, Any] = {}
            for number, each in enumerate((loader, *loaders_inside(loader))):
                place = f"loader {number}" if number else "loader"
                if not isinstance(each, TorchDataLoader):
                    parts[place] = each if each is loader else None
                elif each is loader or not hasattr(each, "load_state_dict"):
                    names = ("generator", "sampler", "batch_sampler")
                    parts |= {f"{place}.{name}": getattr(each, name) for name in names}
                    is_stream = isinstance(each.dataset, IterableDataset) and not each.num_workers
                    # The state of the run's own stream is kept by who iterates it.
                    if is_stream and not (each is loader and hasattr(each.dataset, "state_dict")):
                        parts[f"{place}.dataset"] = each.dataset
            return parts

        super().__init__(owners, data=("loader", "loader.dataset"))
        self.loader = loader

    def positions_inside(self) -> list[Any]:
        """The loaders inside that know their position."""
        return [each for each in loaders_inside(self.loader) if hasattr(each, "load_state_dict")]


class NotedDraws:
    """Where a loader that is loaded again drew from the global generators between others' draws.

    Args:
        loader: The loader, which warnings name.
    """

    def __init__(self, loader: Any) -> None:
        self._name = type(loader).__name__
        self._noted: list[tuple[int, RandomStates]] = []
        self._is_warned = False

    def noting(self, batches: Iterator[Any], number: int = 0) -> Iterator[Any]:
        """Batches, while it is noted which of them drew, and from which states.

        Args:
            batches: A pass.
            number: How many of it were left out.
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
            # An order that a thread draws may have been drawn already, behind initial weights.
            if not was_left_alone and (has_drawn or not number):
                self._note(number, before)
            after = global_states() if has_drawn else before
            number += 1
            yield batch

    def _note(self, number: int, states: dict[str, Any]) -> None:
        if len(self._noted) < _MOST_NOTED:
            now = global_states()
            put_back(states)
            self._noted.append((number, RandomStates.capture(devices=False)))
            put_back(now)
        elif not self._is_warned:
            self._is_warned = True
            warn(
                f"{self._name} draws from the global generators batch by batch: behind "
                f"{_MOST_NOTED} batches of a pass, a resumed run may have other batches. Give it "
                "state_dict and load_state_dict, or a generator of its own"
            )

    def skip(self, batches: Iterator[Any], count: int) -> None:
        """Load batches again and throw them away.

        Args:
            batches: A pass from its start.
            count: How many.
        """
        noted = dict(self._noted)
        for number in range(count):
            if number in noted:
                noted[number].restore()
            next(batches, None)

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


class OrderStart:
    """States of the global generators and of a loader, at the start of an iteration or later.

    Args:
        states: The global generators of the CPU.
        own: What the loader remembers.
        inside: A state for each loader inside that knows its position.
    """

    def __init__(self, states: RandomStates, own: Kept, inside: list[dict[str, Any]]) -> None:
        self._states = states
        self._own = own
        self._inside = inside

    @classmethod
    def of(cls, loader: LoaderState) -> OrderStart:
        """The states now.

        Args:
            loader: The loader that is about to be iterated.
        """
        inside = [each.state_dict() for each in loader.positions_inside()]
        return cls(RandomStates.capture(devices=False), loader.capture(all_of_it=True), inside)

    @contextmanager
    def again(self, loader: LoaderState) -> Iterator[None]:
        """Within the block, everything is as it was; afterwards it goes on from where it is now.

        Only a sampler with a `state_dict` stays where the block has brought it: what it gives while
        it is iterated may not be meant for a sampler that is.

        Args:
            loader: The loader that is iterated again.
        """
        now = OrderStart.of(loader)
        self._states.restore()
        self.restore_own(loader)
        try:
            yield
        finally:
            now._states.restore()
            loader.restore(now._own, without="state_dict")

    def restore_own(self, loader: LoaderState) -> None:
        """Put only the loader, and those inside, into these states.

        Args:
            loader: The loader.
        """
        loader.restore(self._own)
        for each, position in zip(loader.positions_inside(), self._inside, strict=False):
            each.load_state_dict(position)
            if position.get("used") and hasattr(each, "end_pass"):
                each.end_pass()

    def state_dicts(self, now: OrderStart) -> tuple[dict[str, Any], dict[str, Any]]:
        """Plain types and tensors, for a checkpoint: of this start, and of now.

        Of the loader only what has changed, since settings may be others when it is resumed.

        Args:
            now: The states of the same loader at the checkpoint.
        """
        changed = {
            path
            for own in (self._own, now._own)
            for path, kept in own.items()
            if kept["changed"] or (path in self._own) != (path in now._own)
        }
        of_start, of_now = (
            as_plain_types(
                {
                    **order._states.state_dict(),
                    "inside": order._inside,
                    "own": {path: kept for path, kept in order._own.items() if path in changed},
                }
            )
            for order in (self, now)
        )
        return of_start, of_now

    @classmethod
    def from_state_dict(cls, state: Mapping[str, Any]) -> OrderStart:
        """The inverse of `state_dicts`, for one of the two."""
        state = as_they_were(dict(state))
        rest = {name: value for name, value in state.items() if name not in ("own", "inside")}
        return cls(RandomStates.from_state_dict(rest), dict(state["own"]), list(state["inside"]))
