"""A clock that tells what each section of an iteration takes, without counting anything twice."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from typing import Any, TypeVar

__all__ = ["SectionClock"]

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


class SectionClock:
    """Assigns every moment to the innermost section that is entered.

    The sections of an iteration therefore add up to its whole time. While the clock stands still,
    wrapped functions are only called.

    Args:
        synchronize: Called before every reading, to wait for what a device still computes;
            ``None`` on the CPU.
        now: The time in seconds; that of `time.perf_counter` by default.

    Attributes:
        running: Whether the clock runs.
    """

    def __init__(
        self, synchronize: Callable[[], Any] | None = None, now: Callable[[], float] | None = None
    ) -> None:
        self._synchronize = synchronize
        self._now = now or time.perf_counter
        self._base = ""
        self._inner: list[str] = []
        self._since = 0.0
        self._seconds: dict[str, float] = {}
        self.running = False

    def start(self, base: str) -> None:
        """Start anew, in a section.

        Args:
            base: The section that holds while no other is entered.
        """
        self._seconds = {}
        self._inner = []
        self._base = base
        self._since = self._read()
        self.running = True

    def stop(self) -> None:
        """Stand still."""
        self.running = False

    def change_base(self, base: str) -> None:
        """From now on, another section holds while none is entered.

        Args:
            base: Its name.
        """
        self._assign()
        self._base = base

    def take(self) -> dict[str, float]:
        """The seconds by section since the last time; counting begins anew."""
        self._assign()
        seconds, self._seconds = self._seconds, {}
        return seconds

    def enter(self, section: str) -> None:
        """From now on, until it is left, an inner section holds.

        Args:
            section: Its name.
        """
        self._assign()
        self._inner.append(section)

    def leave(self) -> None:
        """Leave the section that was entered last."""
        self._assign()
        if self._inner:
            self._inner.pop()

    def wrap(self, function: FunctionT, section: str) -> FunctionT:
        """A function whose time counts as a section.

        Args:
            function: The function.
            section: Name of the section.
        """

        @functools.wraps(function)
        def timed(*args: Any, **kwargs: Any) -> Any:
            if not self.running:
                return function(*args, **kwargs)
            self.enter(section)
            try:
                return function(*args, **kwargs)
            finally:
                self.leave()

        wrapped: Any = timed
        return wrapped  # type: ignore[no-any-return]  # - called as the function is

    def _read(self) -> float:
        if self._synchronize is not None:
            self._synchronize()
        return self._now()

    def _assign(self) -> None:
        now = self._read()
        section = self._inner[-1] if self._inner else self._base
        self._seconds[section] = self._seconds.get(section, 0.0) + now - self._since
        self._since = now
