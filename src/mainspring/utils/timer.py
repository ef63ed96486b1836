"""A stopwatch."""

from __future__ import annotations

import time
from typing import Self

__all__ = ["Timer", "TimerError", "check_time"]


class TimerError(Exception):
    """A timer was asked before it was started."""

    def __init__(self, message: str) -> None:
        self.message = message
        super().__init__(message)


class Timer:
    """A stopwatch, also as a context manager that prints the time of its block.

    Args:
        start: Whether to start at once.
        print_tmpl: Text printed at the end of a ``with`` block, with a place for the seconds;
            ``'{:.3f}'`` by default.

    Example:
        >>> with Timer(print_tmpl="loading took {:.1f} s"):
        ...     numbers = list(range(10))
        loading took 0.0 s
    """

    def __init__(self, start: bool = True, print_tmpl: str | None = None) -> None:
        self._is_running = False
        self.print_tmpl = print_tmpl or "{:.3f}"
        self._started = self._checked = 0.0
        if start:
            self.start()

    @property
    def is_running(self) -> bool:
        """Whether the timer is running."""
        return self._is_running

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        print(self.print_tmpl.format(self.since_last_check()))
        self._is_running = False

    def start(self) -> None:
        """Start, or, while running, only begin a new lap."""
        self._checked = time.perf_counter()
        if not self._is_running:
            self._started = self._checked
            self._is_running = True

    def since_start(self) -> float:
        """Seconds since the start; begins a new lap.

        Raises:
            TimerError: If the timer is not running.
        """
        self._lap()
        return self._checked - self._started

    def since_last_check(self) -> float:
        """Seconds since the last question or the start; begins a new lap.

        Raises:
            TimerError: If the timer is not running.
        """
        return self._lap()

    def _lap(self) -> float:
        if not self._is_running:
            raise TimerError("timer is not running")
        now = time.perf_counter()
        duration, self._checked = now - self._checked, now
        return duration


_timers: dict[str, Timer] = {}


def check_time(timer_id: str) -> float:
    """Seconds since this function was last called with the same name, 0 at the first call.

    Args:
        timer_id: Name of the timer.
    """
    if timer_id not in _timers:
        _timers[timer_id] = Timer()
        return 0
    return _timers[timer_id].since_last_check()
