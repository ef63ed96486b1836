"""The worker processes of loaders: what begins and ends them, and what signals mean to them.

A batch system that ends a job signals every process of it. Workers must outlive that, since the
process that they load for finishes its iteration first and then saves. So they leave signals to it,
end when it tells them to, and when it is gone.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
import weakref
from collections.abc import Callable, Mapping
from typing import Any

from torch.utils.data import DataLoader
from torch.utils.data.dataloader import _MultiProcessingDataLoaderIter

from mainspring.dataset.any_loader import loaders_inside

__all__ = ["begin_showing", "end_workers", "leave_signals_to_parent", "running_iterators"]

_LEFT_TO_PARENT = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1)
_SECONDS = 1.0
"""How often a worker looks whether its parent is still there."""

_latest: weakref.WeakKeyDictionary[DataLoader[Any], weakref.ref[Any]] = weakref.WeakKeyDictionary()


def begin_showing(loader: Any, seen: Mapping[str, Any], begin: Callable[[], Any]) -> Any:
    """Make torch's iterator, which meanwhile sees other attributes of the loader than all others.

    Signals wait: a worker that is forked here begins with none pending.

    Args:
        loader: A torch loader.
        seen: The attributes that its iterator sees, and takes over.
        begin: Makes the iterator.
    """
    attributes = loader.__dict__
    kept = {name: attributes[name] for name in seen if name in attributes}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _LEFT_TO_PARENT)
    attributes.update(seen)
    try:
        batches = begin()
    finally:
        for name in seen:
            del attributes[name]
        attributes.update(kept)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if hasattr(batches, "_shutdown_workers"):
        _latest[loader] = weakref.ref(batches)
    return batches


def leave_signals_to_parent() -> None:
    """Ignore what is sent to all processes of a run; called in a worker.

    SIGTERM counts when the parent sends it, which is how it ends a worker that does not answer.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    for number in (signal.SIGINT, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGINT, signal.SIGUSR1])
    threading.Thread(target=_end_with_parent, name="mainspring worker's end", daemon=True).start()


def _end_with_parent() -> None:
    parent, above = multiprocessing.parent_process(), os.getppid()
    while parent is not None and parent.is_alive() and os.getppid() == above:
        received = signal.sigtimedwait([signal.SIGTERM], _SECONDS)
        if received is not None and received.si_pid == parent.pid:
            break
    os._exit(0)


def end_workers(loader: Any) -> bool:
    """End the workers of a loader; it starts new ones when it is iterated again.

    Args:
        loader: Any loader.

    Returns:
        Whether there were any.
    """
    if not isinstance(loader, DataLoader):
        own = getattr(loader, "end_workers", None)
        return bool(own()) if own else sum(map(end_workers, loaders_inside(loader))) > 0
    found = _latest.pop(loader, None)
    batches: Any = _begun_by_others(loader) if found is None else found()
    if batches is None:
        return False
    if getattr(loader, "_iterator", None) is batches:
        loader._iterator = None
    batches._shutdown_workers()
    return True


def running_iterators() -> list[Any]:
    """Torch's iterators with workers in this process that have not ended."""
    found = [each for each in gc.get_objects() if type(each) is _MultiProcessingDataLoaderIter]
    # One may have failed while it was made, another be the forked copy of another process's.
    begun: list[Any] = [each for each in found if not getattr(each, "_shutdown", True)]
    return [each for each in begun if all(w._parent_pid == os.getpid() for w in each._workers)]


def _begun_by_others(loader: DataLoader[Any]) -> Any:
    """The iterator of a loader inside of a user's own, which begins it."""
    if not loader.num_workers:
        return None
    return next(
        (each for each in running_iterators() if each._index_sampler is loader._index_sampler), None
    )
