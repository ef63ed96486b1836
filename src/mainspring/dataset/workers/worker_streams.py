"""The random numbers of workers that draw from streams of their own, kept with the batches.

With ``sample_rng="worker"``, and in torch's own loaders, what an item draws depends on all that its
worker has loaded before. So each worker sends the states of its generators along with each batch,
and what else the data set remembers there; a resumed run starts its workers from those that came
with the last batches given out. Nothing is drawn for that, and nothing is loaded again.
"""

from __future__ import annotations

import pickle
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch.utils.data import get_worker_info

from mainspring.checkpoint.plain_types import as_plain_types, as_they_were
from mainspring.dataset.workers.sample_view import SampleView, as_it_is
from mainspring.dataset.workers.tensor_rows import draws_in_workers
from mainspring.dataset.workers.worker_reports import Failure, Sent, state_of_data
from mainspring.logging import warn
from mainspring.object_state.inner_state import InnerState
from mainspring.rng.states import RandomStates

__all__ = ["StreamView", "WorkerStreams"]


class StreamView(SampleView):
    """Loads and collates batches as torch does, in a worker, and tells the states behind each.

    Args:
        dataset: The real data set.
        collate: Makes a batch of items, or, where there are no batches, converts an item.
        resumed: States to begin with, by number of the worker.
    """

    def __init__(self, dataset: Any, collate: Any, resumed: Mapping[int, Any]) -> None:
        super().__init__(dataset, collate, 0, None)
        self._resumed = resumed
        self._inner: InnerState | None = None

    def begin_in_worker(self) -> None:
        """Note what data set and collate function remember at first."""
        self._inner = state_of_data(self.dataset, self._collate)[0]

    def started_in_worker(self, worker_id: int) -> None:
        """Go on from the resumed states, once everything else has begun."""
        states = self._resumed.get(worker_id)
        if states is not None and self._inner is not None:
            RandomStates.from_state_dict(states["generators"]).restore()
            self._inner.restore(states["dataset"])

    def __getitem__(self, index: Any) -> Any:
        return self._sent(lambda: self._collate(self._items(0, [index])[0]), index)

    def __getitems__(self, indices: Any) -> Any:
        return self._sent(lambda: self._batch(0, indices), indices)

    def _sent(self, load: Any, indices: Any) -> Any:
        info = get_worker_info()
        assert info is not None
        if indices is None:
            return Sent(None, info.id)
        batch = self._guarded(load)
        return batch if type(batch) is Failure else Sent(batch, info.id, self._states())

    def _states(self) -> bytes:
        generators = (
            random.getstate(),
            np.random.get_state(legacy=False),  # noqa: NPY002 - items draw from it
            torch.get_rng_state().numpy(),
        )
        return pickle.dumps((generators, self._inner.capture() if self._inner else {}))


class WorkerStreams:
    """Where the workers of a loader stand, as far as its batches were given out.

    Args:
        loader: A torch loader over indices, with workers.

    Attributes:
        restarts: Whether the pass begins with new workers because a hook wants them.
    """

    def __init__(self, loader: Any) -> None:
        self._count = loader.num_workers
        self._stay = loader.persistent_workers
        self._latest: dict[int, Any] = {}
        self._next = 0
        self._resumed: Mapping[str, Any] | None = None
        self._shown: dict[str, Any] = {}
        self.restarts = False
        self._was_restarted = False

    @classmethod
    def of(cls, loader: Any) -> WorkerStreams | None:
        """Those of a torch loader over indices; ``None`` where nothing is drawn in workers."""
        return cls(loader) if draws_in_workers(loader) else None

    def begin(self, loader: Any, in_the_middle: bool) -> int:
        """Prepare for a pass, before its iterator is made.

        Args:
            loader: The loader.
            in_the_middle: Whether the pass goes on behind the batches that a resumed run had seen.

        Returns:
            How many workers have had their turn: torch deals batches out one after another.
        """
        resumed, self._resumed = self._resumed, None
        self._next = 0
        if loader._iterator is None:
            self._latest = {}
        # Hooks that change the pipeline of workers that stay, such as mmdet's, open the loader. A
        # resumed run does so as well, though the run that was saved may have done it long before.
        is_open = loader._DataLoader__initialized is False
        known = self._was_restarted if resumed is None else resumed.get("was_restarted", False)
        self.restarts = is_open and not known
        self._was_restarted = is_open or known
        if self.restarts and not in_the_middle:
            resumed = None
        if resumed is not None and resumed["count"] != self._count:
            warn(
                f"the checkpoint was made with {resumed['count']} workers, each with random "
                f"numbers of its own; those of {self._count} begin anew"
            )
        elif resumed is not None and (in_the_middle or self._stay):
            loader._iterator = None  # workers that were started before the run was resumed
            self._latest = dict(resumed["latest"])
            self._next = resumed["next"] if in_the_middle else 0
        states = {number: as_they_were(state) for number, state in self._latest.items()}
        view = StreamView(loader.dataset, loader.collate_fn, states)
        self._shown = {"dataset": view, "collate_fn": as_it_is}
        if states and not in_the_middle:
            # Workers that go on draw no base seed, so starting them anew must not draw one either.
            self._shown["generator"] = torch.Generator()
        return self._next

    def shown(self) -> dict[str, Any]:
        """What torch's iterator sees of the loader in this pass, if it starts workers."""
        return self._shown

    def took(self, sent: Sent) -> None:
        """Note where a worker stands."""
        self._latest[sent.worker] = sent.states
        self._next = (sent.worker + 1) % self._count

    def state_dict(self) -> dict[str, Any]:
        """Plain types and tensors, for a checkpoint."""
        latest = {number: _in_plain_types(states) for number, states in self._latest.items()}
        return {
            "count": self._count,
            "next": self._next,
            "latest": latest,
            "was_restarted": self._was_restarted,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Let the next pass begin with the workers where `state_dict` found them."""
        self._resumed = state


def _in_plain_types(states: Any) -> Any:
    """What a worker of this process has sent, or what was resumed and not sent anew."""
    if not isinstance(states, bytes):
        return as_plain_types(states)
    (python, numpy, of_torch), in_dataset = pickle.loads(states)
    version, internal, gauss = python
    generators = RandomStates([version, list(internal), gauss], numpy, torch.from_numpy(of_torch))
    return as_plain_types({"generators": generators.state_dict(), "dataset": in_dataset})
