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
from mainspring.object_state.inner_state import InnerState, Kept
from mainspring.rng.states import RandomStates

__all__ = ["LoaderState", "OrderStart", "is_continued_stream"]


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
    """What a loader, those inside of it, and their samplers remember; and what is loaded again.

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
                    continue
                names: list[str] = []
                if each is loader or not hasattr(each, "load_state_dict"):
                    names += ["generator", "sampler", "batch_sampler"]
                in_workers = each.num_workers + getattr(each, "threads", 0) > 0
                if each is not loader and not in_workers:
                    names.append("collate_fn")
                is_stream = isinstance(each.dataset, IterableDataset)
                keeps_state = each is loader and (
                    # The run keeps what items change, and who iterates it the state of a stream.
                    not is_stream or hasattr(each.dataset, "state_dict")
                )
                if not in_workers and not keeps_state:
                    names.append("dataset")
                parts |= {f"{place}.{name}": getattr(each, name) for name in names}
            return parts

        inside = range(1, len(loaders_inside(loader)) + 1)
        data = ("loader", "loader.dataset", *(f"loader {number}.dataset" for number in inside))
        super().__init__(owners, data=data)
        self.loader = loader

    def positions_inside(self) -> list[Any]:
        """The loaders inside that know their position."""
        return [each for each in loaders_inside(self.loader) if hasattr(each, "load_state_dict")]


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
