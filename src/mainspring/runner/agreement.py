"""How the processes of a run agree on the iteration after which they stop.

Any of them may get the signal. It notes the request in the store that the processes met through; a
thread of each looks there twice a second, so that the training loop itself never asks. When all
have seen the request, the main process names an iteration: the one after the next in which
gradients are exchanged. No other can pass that iteration before it reads of it, since the exchange
needs all processes; in between, with accumulated gradients, they may be some iterations apart.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Self

from mainspring.dist import get_rank, get_world_size

__all__ = ["StopAgreement"]

_SECONDS = 0.5


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
        from torch.distributed import distributed_c10d

        store: Any = distributed_c10d._get_default_store()
        return cls(store.clone() if hasattr(store, "clone") else store, on_request, exchange)

    def _key(self, name: str) -> str:
        return f"mainspring/stop/{self._round}/{name}"

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

    def listen_again(self) -> None:
        """Begin a new round, after a request to save and go on was carried out."""
        with self._turn:
            self._round += 1
            self._seen = False

    def close(self) -> None:
        """Stop listening."""
        self._closed.set()
        self._thread.join(timeout=2 * _SECONDS)
