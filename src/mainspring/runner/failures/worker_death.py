"""Says what it means when a process that loads data is gone, and how to go on.

Torch hears of a worker's death by a signal whose handler raises, so its error may come up anywhere,
and again each time another worker ends, also while the first error is being printed. If the main
process is just taking a batch over from that worker, the connection breaks instead. So what is
asked here is whether a worker is dead, whatever the error; and the loader is ended at once.
"""

from __future__ import annotations

import re
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from mainspring.dataset.workers.worker_life import end_workers, running_iterators
from mainspring.errors import DataError
from mainspring.runner.run_length import EndlessBatches

__all__ = ["WorkerDeathError", "ending_workers", "explaining_worker_deaths"]

_TORCH_SAYS = re.compile(r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\).*", re.DOTALL)
_SECONDS = 0.5
"""How long a connection may be broken before its process counts as ended."""


class WorkerDeathError(DataError):
    """A worker process of a loader was killed, or ended by itself."""


@contextmanager
def explaining_worker_deaths(
    advice: str = "resume=True continues from the last checkpoint",
) -> Iterator[None]:
    """Turn errors that come of a dead worker into one that says how to go on.

    Args:
        advice: How to go on once there is memory for the workers.

    Raises:
        WorkerDeathError: A worker is gone.
    """
    try:
        yield
    except WorkerDeathError:
        raise
    except (RuntimeError, OSError, EOFError) as error:
        explained = _explained(error, advice)
        if explained is None:
            raise
        raise explained from error


@contextmanager
def ending_workers(loops: Iterable[Any]) -> Iterator[None]:
    """Let no worker of some loops outlive the block, however it ends.

    Args:
        loops: Loops of a run; one may be ``None``.
    """
    try:
        yield
    finally:
        for loop in loops:
            batches = getattr(loop, "_batches", None)
            if isinstance(batches, EndlessBatches):
                batches.end_workers()
            for owner in getattr(loop, "sets", [loop]):
                end_workers(getattr(owner, "dataloader", None))


def _explained(error: Exception, advice: str) -> WorkerDeathError | None:
    """The error to raise instead; ``None`` if no worker is dead."""
    while True:
        try:
            with _without_reports():
                said = _said_by_torch(error)
                if isinstance(error, RuntimeError) and said is None:
                    return None
                dead = _end_broken_loaders()
                if said is None and not dead:
                    return None
                what = ", ".join(dead) or (said.group() if said else "").strip().rstrip(".")
                return WorkerDeathError(
                    f"a process that loads data is gone: {what}",
                    help="the system kills a worker when memory runs out (dmesg tells): fewer "
                    "num_workers, a smaller prefetch_factor, or data that is not copied into each "
                    f"worker; {advice}",
                )
        except RuntimeError as again:
            # Another report, before reports were turned off.
            if _TORCH_SAYS.search(str(again)) is None:
                raise


def _said_by_torch(error: BaseException) -> re.Match[str] | None:
    """Torch's report, also where it caused a further error on its way, as in `torch.save`."""
    reported: BaseException | None = error
    while reported is not None:
        said = _TORCH_SAYS.search(str(reported))
        if said is not None:
            return said
        reported = reported.__cause__ or reported.__context__
    return None


def _end_broken_loaders() -> list[str]:
    """End the loaders that lost a worker; returns what is known of each lost one."""
    dead = []
    for iterator in running_iterators():
        workers = iterator._workers
        for number, worker in enumerate(workers):
            worker.join(_SECONDS / len(workers))
            if worker.exitcode:
                dead.append(f"worker {number} (pid {worker.pid}) {_end_of(worker.exitcode)}")
        if any(worker.exitcode for worker in workers):
            iterator._shutdown_workers()
    return dead


def _end_of(code: int) -> str:
    if code > 0:
        return f"left with exit code {code}"
    try:
        return f"was killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"was killed by signal {-code}"


@contextmanager
def _without_reports() -> Iterator[None]:
    """Let no signal of an ending process raise anything here."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, handler if handler is not None else signal.SIG_DFL)
