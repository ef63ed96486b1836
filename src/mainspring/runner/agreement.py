"""How the processes of a run agree on where it goes.

Where all ranks are at the same place anyway, after an epoch or a validation, `agree` gathers what
each of them would do and lets the same rule decide on all. Nothing else may steer a run: a rank
that stops, validates or lowers a learning rate on its own leaves the others waiting, or training
another model.

Between such places stands `StopAgreement`, for requests to stop: any rank may get a signal, or have
a hook that wants no more. It notes the request in the store that the processes met through; a
thread of each looks there twice a second, so that the training loop itself never asks. When all
have seen the request, the main process names an iteration: the one after the next in which
gradients are exchanged. No other can pass that iteration before it reads of it, since the exchange
needs all processes; in between, with accumulated gradients, they may be some iterations apart.
"""

from __future__ import annotations

import datetime as dt
import itertools
import threading
from collections.abc import Callable
from typing import Any, Self, TypeVar

from mainspring.dist import all_gather_object, get_rank, get_world_size
from mainspring.logging import warn

__all__ = ["StopAgreement", "agree", "agreed_metrics", "appear", "store_of"]

T = TypeVar("T")

_SECONDS = 0.5
_trainings = itertools.count()
"""Counted alike by all processes of a run."""
_PATIENCE = 2.0
"""Seconds in which ranks that finish the same iteration are expected to have done so."""


def store_of(run: str, *, waits: bool = True) -> Any:
    """The store that the processes met through, for one run: another finds no keys of it.

    Args:
        run: What the processes know the run by.
        waits: Whether it is waited in, which needs a connection of its own: others would wait too.
    """
    from torch.distributed import distributed_c10d

    store: Any = distributed_c10d._get_default_store()
    if waits and hasattr(store, "clone"):
        store = store.clone()
    return distributed_c10d.PrefixStore(f"mainspring/{run}", store)


def appear(store: Any, keys: list[str], seconds: float) -> bool:
    """Whether all keys are set in a store within some time.

    Args:
        store: What `store_of` gave.
        keys: The keys.
        seconds: How long to wait.
    """
    from torch.distributed import DistStoreError

    try:
        store.wait(keys, dt.timedelta(seconds=seconds))
    except DistStoreError:
        return False
    return True


def agree(own: T, decide: Callable[[list[T]], T]) -> T:
    """One value for all ranks (all ranks).

    Args:
        own: What this rank would go on with; pickled on the way.
        decide: Makes one of the values of all ranks, in order; the same on every rank.
    """
    return own if get_world_size() == 1 else decide(all_gather_object(own))


def agreed_metrics(metrics: dict[str, Any]) -> dict[str, Any]:
    """The metrics that all ranks go on with: of each, the value of the first rank that has it.

    Args:
        metrics: What this rank computed; on other ranks than 0 it may be nothing.
    """

    def decide(of_ranks: list[dict[str, Any]]) -> dict[str, Any]:
        of_ranks[get_rank()] = metrics
        merged: dict[str, Any] = {}
        for rank, of_rank in enumerate(of_ranks):
            for name, value in of_rank.items():
                if repr(merged.setdefault(name, value)) != repr(value):
                    differing.setdefault(name, f"{merged[name]!r}, on rank {rank} {value!r}")
        return merged

    differing: dict[str, str] = {}
    merged = agree(metrics, decide)
    if differing:
        listed = "; ".join(f"{name} is {values}" for name, values in differing.items())
        warn(
            f"the ranks computed different metrics, so the first value counts for all: {listed}. "
            "Reduce over the ranks (mainspring.dist.all_reduce), or derive from BaseMetric, which "
            "gathers their results"
        )
    return merged


class StopAgreement:
    """One process's part in the agreement.

    Args:
        store: The store that the processes share.
        on_request: Called, from a thread, with the name of the signal when any process got one.
        exchange: Every how many iterations, at least, gradients are exchanged.
    """

    def __init__(self, store: Any, on_request: Callable[[str], None], exchange: int = 1) -> None:
        self._store = store
        self._exchange = exchange
        self._on_request = on_request
        self._round = 0
        self._seen = False
        self._turn = threading.Lock()
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="stop agreement")
        self._thread.start()

    @classmethod
    def of_run(cls, on_request: Callable[[str], None], exchange: int = 1) -> Self | None:
        """The agreement of this run; ``None`` with a single process.

        Args:
            on_request: Called with the name of the signal when any process got one.
            exchange: Every how many iterations, at least, gradients are exchanged.
        """
        if get_world_size() == 1:
            return None
        return cls(store_of(f"training {next(_trainings)}"), on_request, exchange)

    def _key(self, name: str) -> str:
        return f"stop/{self._round}/{name}"

    def request(self, name: str) -> None:
        """Note that this process got a signal; safe to call from a signal handler's thread."""
        # The key is that of now: the thread may run when the next round has begun.
        arguments = (self._key("request"), name)
        threading.Thread(target=self._store.set, args=arguments, daemon=True).start()

    def _watch(self) -> None:
        while not self._closed.wait(_SECONDS):
            if self._seen or not self._store.check([self._key("request")]):
                continue
            with self._turn:
                # Meanwhile the request may have been answered.
                if not self._store.check([self._key("request")]):
                    continue
                self._seen = True
                name = self._store.get(self._key("request")).decode()
                self._on_request(name)
                self._store.add(self._key("seen"), 1)

    def decide(self, done: int) -> tuple[int, str] | None:
        """After which iteration to stop, and for which signal; ``None`` while that is open.

        Args:
            done: Iterations that this process has finished.
        """
        if not self._seen:
            return None
        if get_rank() == 0 and not self._store.check([self._key("last")]):
            if int(self._store.add(self._key("seen"), 0)) < get_world_size():
                return None
            self._store.set(self._key("last"), str(done + self._exchange + 1))
        if not self._store.check([self._key("last")]):
            return None
        last = int(self._store.get(self._key("last")))
        return last, self._store.get(self._key("request")).decode()

    def all_end_here(self, done: int) -> bool:
        """Whether every rank wants to end the run after the same iteration (those who want to).

        A rank that finds itself alone has to go on, or the others would wait for its gradients.

        Args:
            done: Iterations that this process has finished.
        """
        key = f"end/{done}"
        if int(self._store.add(f"{key}/arrived", 1)) == get_world_size():
            return bool(self._store.compare_set(key, "", "together") == b"together")
        if not appear(self._store, [key], _PATIENCE):
            self._store.compare_set(key, "", "apart")
        return bool(self._store.get(key) == b"together")

    def listen_again(self) -> None:
        """Begin a new round, after a request to save and go on was carried out."""
        with self._turn:
            self._round += 1
            self._seen = False

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        self._thread.join(timeout=2 * _SECONDS)
