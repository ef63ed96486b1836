"""A progress bar of plain text."""

from __future__ import annotations

import sys
from shutil import get_terminal_size
from typing import TextIO

from mainspring.utils.timer import Timer

__all__ = ["ProgressBar"]


class ProgressBar:
    """A progress bar of plain text, written over itself with a carriage return.

    Args:
        task_num: Number of steps; with 0 only the finished ones are counted.
        bar_width: Width of the bar in characters.
        start: Whether to start, and draw, at once.
        file: Where to write; standard output by default.
    """

    def __init__(
        self,
        task_num: int = 0,
        bar_width: int = 50,
        start: bool = True,
        file: TextIO | None = None,
    ) -> None:
        self.task_num = task_num
        self.bar_width = bar_width
        self.completed = 0
        self.file = sys.stdout if file is None else file
        self.timer = Timer(start=False)
        if start:
            self.start()

    @property
    def terminal_width(self) -> int:
        """Width of the terminal in characters."""
        return get_terminal_size().columns

    def start(self) -> None:
        """Draw the empty bar and start the clock."""
        if self.task_num > 0:
            self.file.write(f"[{' ' * self.bar_width}] 0/{self.task_num}, elapsed: 0s, ETA:")
        else:
            self.file.write("completed: 0, elapsed: 0s")
        self.file.flush()
        self.timer = Timer()

    def update(self, num_tasks: int = 1) -> None:
        """Count finished steps and draw again.

        Args:
            num_tasks: How many steps were finished, at least 1.
        """
        if num_tasks <= 0:
            raise StepCountError(f"num_tasks must be at least 1, but is {num_tasks}")
        self.completed += num_tasks
        elapsed = self.timer.since_start()
        rate = self.completed / elapsed if elapsed > 0 else float("inf")
        shown = int(elapsed + 0.5)
        if self.task_num > 0:
            self.file.write(self._bar_line(elapsed, rate, shown))
        else:
            self.file.write(f"completed: {self.completed}, elapsed: {shown}s, {rate:.1f} tasks/s")
        self.file.flush()

    def _bar_line(self, elapsed: float, rate: float, shown: int) -> str:
        done = self.completed / self.task_num
        eta = int(elapsed * (1 - done) / done + 0.5)
        text = (
            f"] {self.completed}/{self.task_num}, {rate:.1f} task/s, "
            f"elapsed: {shown}s, ETA: {eta:5}s"
        )
        terminal = self.terminal_width
        width = max(2, min(self.bar_width, terminal - len(text) - 2, int(terminal * 0.6)))
        return "\r[" + (">" * int(width * done)).ljust(width) + text


class StepCountError(ValueError, AssertionError):
    """A progress bar was asked to advance by less than one step."""
