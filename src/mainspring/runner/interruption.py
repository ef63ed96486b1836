"""Signals: finish the iteration, write a checkpoint, and leave, or go on.

| signal  | what happens                                             | exit code |
|---------|----------------------------------------------------------|-----------|
| SIGTERM | the iteration is finished, a checkpoint is written       | 143       |
| SIGINT  | the same; a second one leaves at once                    | 130       |
| SIGUSR1 | a checkpoint is written, and training goes on            |           |

Until a signal comes, none of this costs anything: the handler itself adds what acts after the next
iteration. With several processes, all of them stop after the same iteration, also when only one of
them got the signal, see `mainspring.runner.agreement`.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

from mainspring.checkpoint import record_latest_checkpoint
from mainspring.dist import is_main_process
from mainspring.runner.agreement import StopAgreement

__all__ = ["Interrupted", "Interruption", "Terminated"]

CHECKPOINT = "interrupted.pth"
"""Name of the checkpoint that an interrupted run leaves; the next interruption replaces it."""

_STDERR = 2
_SIGNALS = ("SIGTERM", "SIGINT", "SIGUSR1")


class Terminated(SystemExit):
    """The run was asked to end and has written its checkpoint; the exit code is 143."""


class Interrupted(KeyboardInterrupt):
    """The run was interrupted from the keyboard and has written its checkpoint."""


class Interruption:
    """Listens to signals while a run trains.

    Args:
        runner: The run.
    """

    def __init__(self, runner: Any) -> None:
        self._runner = runner
        self._process = os.getpid()
        self._requested: str | None = None
        self._agreement: StopAgreement | None = None

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen within the block; in other threads than the main one signals cannot be heard."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        numbers = [getattr(signal, name) for name in _SIGNALS if hasattr(signal, name)]
        before = {number: signal.signal(number, self._on_signal) for number in numbers}
        self._agreement = StopAgreement.of_run(self._on_request_of_others)
        try:
            yield
        finally:
            if self._agreement is not None:
                self._agreement.close()
            for number, handler in before.items():
                signal.signal(number, handler if handler is not None else signal.SIG_DFL)

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        name = signal.Signals(number).name
        if os.getpid() != self._process:
            _act_in_worker(number)
            return
        if self._requested == "SIGINT" and name == "SIGINT":
            raise KeyboardInterrupt
        self._request(name)
        if self._agreement is not None:
            self._agreement.request(name)

    def _on_request_of_others(self, name: str) -> None:
        """Another process got a signal; called from a thread."""
        if self._requested is None:
            self._request(name)

    def _request(self, name: str) -> None:
        self._requested = name
        what = "saving after this iteration" if name == "SIGUSR1" else "finishing this iteration"
        # A handler may have interrupted the logger itself, which cannot be entered twice.
        with contextlib.suppress(OSError):
            os.write(_STDERR, f"{name}: {what}\n".encode())
        self._runner.call_after_iterations(self._after_iteration)

    def _after_iteration(self) -> None:
        """Once a signal came: save, and leave unless the run is to go on."""
        loop = self._runner.train_loop
        done = loop.completed_iters if hasattr(loop, "completed_iters") else loop.iter + 1
        if self._agreement is not None:
            decided = self._agreement.decide(done)
            if decided is None or done < decided[0]:
                return
            self._requested = decided[1]
        name, self._requested = self._requested, None
        self._runner.call_after_iterations(None)
        self._save(done)
        if name == "SIGTERM":
            raise Terminated(128 + signal.SIGTERM)
        if name == "SIGINT":
            raise Interrupted
        if self._agreement is not None:
            self._agreement.listen_again()

    def _save(self, done: int) -> None:
        runner = self._runner
        runner.save_checkpoint(runner.work_dir, CHECKPOINT)
        if is_main_process():
            record_latest_checkpoint(CHECKPOINT, runner.work_dir)
        runner.logger.info(
            f"saved {CHECKPOINT} after iteration {done}; resume=True continues there"
        )


def _act_in_worker(number: int) -> None:
    """A process that was forked for loading data: only a request to end concerns it."""
    if number == signal.SIGTERM:
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)
