"""Says in every process which one failed, and why: the others only lose their connection to it."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mainspring.dist import get_rank, get_world_size, is_main_process
from mainspring.runner.agreement import store_of

__all__ = ["failed_before", "naming_failed_rank"]

_SECONDS = 0.5
_PATIENCE = 5.0
_BEFORE = "before it, another rank had failed: "
_phases = itertools.count()
"""Counted alike by all processes of a run."""


@contextmanager
def naming_failed_rank() -> Iterator[None]:
    """Add to an error the rank that it comes from, and the error of the rank that failed first."""
    if get_world_size() == 1:
        yield
        return
    failure = _FirstFailure()
    try:
        yield
    except Exception as error:
        error.add_note(f"rank {get_rank()} of {get_world_size()} failed with this error")
        own = f"rank {get_rank()}: {type(error).__name__}: {error}"
        first = failure.after(own)
        if first not in {None, own}:
            error.add_note(f"{_BEFORE}{first}")
        raise
    finally:
        failure.close()


def failed_before(error: BaseException) -> str | None:
    """Rank and error of the process whose failure led to an error; ``None`` where none had failed.

    Args:
        error: What `naming_failed_rank` let pass.
    """
    notes = getattr(error, "__notes__", ())
    return next((note.removeprefix(_BEFORE) for note in notes if note.startswith(_BEFORE)), None)


class _FirstFailure:
    """What failed first in a phase of a run, for all processes.

    A thread looks for it while the process works: those that lose their connection only when the
    main process ends, which keeps the store, could not ask any more.
    """

    def __init__(self) -> None:
        self._store = store_of(f"failure {next(_phases)}", waits=False)
        self._first: str | None = None
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="failed ranks")
        self._thread.start()

    def _watch(self) -> None:
        with suppress(Exception):
            while not self._closed.wait(_SECONDS):
                if self._store.check(["failed"]):
                    self._first = self._store.get("failed").decode()
                    self._store.add("read", 1)
                    return

    def after(self, own: str) -> str | None:
        """The first failure, where this process has failed with ``own``; ``None`` if unknown."""
        deadline = time.monotonic() + _PATIENCE
        with suppress(Exception):
            self._store.compare_set("failed", "", own)
            self._thread.join(timeout=_PATIENCE)
            if is_main_process():
                while int(self._store.add("read", 0)) < get_world_size():
                    if time.monotonic() > deadline:
                        break
                    time.sleep(0.05)
        return self._first

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join(timeout=2 * _SECONDS)
