"""Runs as processes of their own, one after another or several at a time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from mainspring.signals import handling
from mainspring.tools.process_groups import kill_group
from mainspring.tools.sweeps.grid import Followed
from mainspring.tools.sweeps.record import Run, Status

__all__ = ["Processes", "train_command"]

_POLL_SECONDS = 0.05
_WATCH_SECONDS = 0.5
_GRACE_SECONDS = 10.0


def train_command(config: str, allow: Sequence[str] = ()) -> Callable[[Run], list[str]]:
    """What makes the command line of a run: ``mainspring train`` in this Python.

    Args:
        config: The config file.
        allow: Packages that data may name, see `mainspring.names`.
    """
    allowed = [word for name in allow for word in ("--allow", name)]

    def command(run: Run) -> list[str]:
        resume = ["--resume"] if run.continues else []
        options = ["--work-dir", str(run.folder), *allowed, *resume]
        return [sys.executable, "-m", "mainspring", "train", config, *run.words, *options]

    return command


@dataclass(slots=True)
class _Child:
    run: Run
    slot: int
    process: subprocess.Popen[bytes]
    watched: float = field(default_factory=time.monotonic)


class Processes:
    """Starts runs, a number of them at a time, and sees them end.

    Args:
        command: Makes the command line of a run.
        jobs: Runs at a time.
        devices: GPUs to hand out, one to each run; every run sees all without it.
    """

    def __init__(
        self, command: Callable[[Run], list[str]], jobs: int = 1, devices: Sequence[str] = ()
    ) -> None:
        self._command = command
        self._jobs = jobs
        self._devices = devices

    def run(self, runs: Iterator[Run], follower: Followed) -> None:
        """Run all of them; one that fails does not stop the others.

        Args:
            runs: The runs; the next one is taken when there is room for it.
            follower: Is told of each.

        Raises:
            KeyboardInterrupt: The sweep was interrupted; all runs were stopped.
        """
        free = list(range(self._jobs))
        children: list[_Child] = []
        with _signals_interrupt():
            try:
                while True:
                    while free and (run := next(runs, None)) is not None:
                        children.append(self._start(run, free.pop(0)))
                        follower.started(run)
                    if not children:
                        return
                    time.sleep(_POLL_SECONDS)
                    for child in list(children):
                        status = _outcome(child, follower)
                        if status is not None:
                            children.remove(child)
                            free.append(child.slot)
                            follower.ended(child.run, status, child.process.returncode)
            finally:
                if children:
                    _stop([child.process for child in children])
                    for child in children:
                        follower.ended(child.run, "interrupted", child.process.returncode)

    def _start(self, run: Run, slot: int) -> _Child:
        run.begin()
        environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
        if self._devices:
            environment["CUDA_VISIBLE_DEVICES"] = self._devices[slot % len(self._devices)]
        if self._jobs > 1:
            share = max(1, (os.cpu_count() or 1) // self._jobs)
            environment.setdefault("OMP_NUM_THREADS", str(share))
        if not run.continues or run.output.is_symlink():
            run.output.unlink(missing_ok=True)
        with run.output.open("ab") as output:
            process = subprocess.Popen(
                self._command(run),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
                # Ctrl-C in the terminal reaches the sweep alone, which then stops its runs.
                start_new_session=True,
            )
        return _Child(run, slot, process)


def _outcome(child: _Child, follower: Followed) -> Status | None:
    """How a run has ended; ``None`` while it goes on."""
    code = child.process.poll()
    if code is not None:
        return "failed" if code else "finished"
    if time.monotonic() - child.watched < _WATCH_SECONDS:
        return None
    child.watched = time.monotonic()
    if not follower.should_stop(child.run):
        return None
    _stop([child.process])
    return "pruned"


def _stop(processes: Sequence[subprocess.Popen[bytes]]) -> None:
    """End processes: as Ctrl-C does, then by force; a second Ctrl-C does not wait."""
    try:
        for process in processes:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGINT)
        deadline = time.monotonic() + _GRACE_SECONDS
        for process in processes:
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
    finally:
        for process in processes:
            # Its data workers too: the group outlives its first process.
            kill_group(process.pid)
            process.wait()


@contextmanager
def _signals_interrupt() -> Iterator[None]:
    """Within the block a request to end the process, or a lost terminal, counts as Ctrl-C."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    signals = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup
        signals.append(signal.SIGHUP)
    with handling(signals, interrupt):
        yield
